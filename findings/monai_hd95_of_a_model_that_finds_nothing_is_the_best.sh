#!/usr/bin/env bash
# Versions: monai 1.6.1, torch 2.13.0 (CPU), scipy 1.17.1, numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: HausdorffDistanceMetric(percentile=95) gives nan for an image in which the model marks nothing; aggregate() leaves nan
#   out of the mean, and of nothing but nan it makes 0.0, which is the best distance there is. So a model that finds nothing
#   beats every other, and one that finds 1 of 4 is scored on that one alone. percentile=None gives inf for the same
#   images. A warning says once that a distance may become nan or inf; that the score becomes 0.0 it does not say.
#
# Expected: inf, the size of the image, or nan: anything that is not a perfect score. A missed object is as far off as can be.
#
# Who is hurt: whoever reports HD95 beside Dice, or chooses a checkpoint by it: the first epochs, in which a model often marks
#   nothing, look perfect, and a model that leaves out hard images looks better than one that tries them.
#
# It downloads PyTorch (some hundred megabytes; more where pip takes the files for graphics cards).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    monai==1.6.1 torch==2.13.0 scipy==1.17.1 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python -W ignore::FutureWarning - <<'PYTHON'
import sys

import torch
from monai.metrics import DiceMetric, HausdorffDistanceMetric

truth = torch.zeros(4, 1, 64, 64)
truth[:, :, 16:48, 16:48] = 1
near = torch.roll(truth, 3, dims=-1)
one_found = near.clone()
one_found[1:] = 0
models = {"three pixels off": near, "one of four found": one_found, "nothing found": torch.zeros_like(truth)}
scores = {}
for name, marked in models.items():
    distance = HausdorffDistanceMetric(percentile=95)
    largest = HausdorffDistanceMetric(percentile=None)
    dice = DiceMetric()
    for metric in (distance, largest, dice):
        metric(marked, truth)
    scores[name] = tuple(metric.aggregate().item() for metric in (distance, largest, dice))
    each = distance.get_buffer().flatten().tolist()
    print(
        f"{name}: HD95 {scores[name][0]:.1f} (images: {each}), largest distance {scores[name][1]:.1f}, "
        f"Dice {scores[name][2]:.2f}"
    )
holds = (
    scores["three pixels off"][0] == scores["one of four found"][0] == 3
    and scores["nothing found"][0] == 0
    and scores["nothing found"][2] == 0
)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
