#!/usr/bin/env bash
# Versions: medpy 0.5.2, numpy 2.4.6, scipy 1.17.1, SimpleITK 2.5.7, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: of a picture that shows nothing, in which a model finds nothing, medpy.metric.binary.jc is 1 and dc is not a number. Both
#   measure the same overlap, each follows from the other (D = 2 J / (1 + J)), and everywhere else medpy's two do. numpy warns
#   of a division for dc, and jc says nothing. Over four pictures, two of them empty and all of them segmented without a
#   fault, the mean Jaccard index is 1 and the mean Dice not a number; with np.nanmean the empty ones are left out of
#   one mean and counted with full marks in the other, so that the two tell of different pictures.
#
# Expected: one rule for both, 1 or not a number, and a word on it in the documentation of either.
#
# Who is hurt: whoever scores pictures without a finding, as of ultrasound, skin or slices of a volume: Dice and IoU of one table
#   are means over different pictures, and a model's rank can depend on which is read.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    medpy==0.5.2 numpy==2.4.6 scipy==1.17.1 SimpleITK==2.5.7 || cannot "the packages are not to be had"

venv/bin/python - 2> said.txt <<'PYTHON' || failed=1
import sys

import numpy as np
from medpy.metric.binary import dc, jc

empty = np.zeros((32, 32), bool)
truth = empty.copy()
truth[8:20, 8:20] = True
close = np.roll(truth, 3, 0)
dice, jaccard = dc(close, truth), jc(close, truth)
print(f"three pixels off: Dice {dice:.4f}, Jaccard {jaccard:.4f}, from which Dice {2 * jaccard / (1 + jaccard):.4f}")
nothing = dc(empty, empty), jc(empty, empty)
print(f"nothing there, nothing found: Dice {nothing[0]}, Jaccard {nothing[1]}")
missed = dc(empty, truth), jc(empty, truth)
print(f"all missed: Dice {missed[0]}, Jaccard {missed[1]}")

# A model that is right but for one of two findings, which it misses, and a picture of nothing.
pairs = [(truth, truth), (empty, truth), (empty, empty)]
means = [np.nanmean([measure(found, true) for found, true in pairs]) for measure in (dc, jc)]
print(f"mean of three pictures without those that are not a number: Dice {means[0]:.3f}, Jaccard {means[1]:.3f}")
print("a Jaccard index above the Dice of the same masks, which cannot be of any one picture:", bool(means[1] > means[0]))
follows = abs(dice - 2 * jaccard / (1 + jaccard)) < 1e-9
sys.exit(0 if follows and np.isnan(nothing[0]) and nothing[1] == 1 and missed == (0, 0) and means[1] > means[0] else 1)
PYTHON
echo "What numpy said: $(grep -c RuntimeWarning said.txt || true) warnings"
if [ -n "${failed:-}" ]; then
    cat said.txt
    echo "The finding no longer holds."
    exit 1
fi
echo "The finding holds."
