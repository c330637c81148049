#!/usr/bin/env bash
# Versions: torch 2.13.0 (CPU), numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026, in torch 2.14.1 as well.
#
# Seen: ReduceLROnPlateau with its defaults (threshold_mode="rel") asks of a new value to be below best * (1 - threshold), and
#   with mode="max" above best * (1 + threshold). Where the measure is negative both bounds lie on the wrong side of the
#   best: the very same value counts as better, and one that is a little worse does, too, and becomes the new
#   "best". At a standstill the count of bad epochs stays at 0 and the rate is never lowered, while a measure of the same
#   form above zero lowers it. `best` walks away, a little each epoch. No warning.
#
# Expected: what the documentation says of the class, that it reduces the rate "when a metric has stopped improving", and that
#   a threshold makes it harder to count as better, never easier. With the magnitude of the best it would be so.
#
# Who is hurt: whoever watches a loss that is negative: minus the Dice of masks (as in nnU-Net, minus Dice, or minus Dice plus
#   cross-entropy), a log-likelihood, an ELBO, SI-SDR in decibels and its negative. The schedule is silently a constant one
#   unless the values get worse by more than the threshold in each epoch.
#
# It downloads PyTorch (some hundred megabytes; more where pip takes the files for graphics cards).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys
import warnings

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau


def watch(values, mode: str) -> tuple[float, float, int]:
    """The rate after some epochs, from 1, what is called the best, and how many warnings there were."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = ReduceLROnPlateau(optimiser, mode=mode, factor=0.1, patience=5)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for value in values:
            scheduler.step(value)
    return optimiser.param_groups[0]["lr"], scheduler.best, len(told)


EPOCHS = 24
still = [1.0] * EPOCHS
worse = [1.0 + 0.00005 * n for n in range(EPOCHS)]  # by half the threshold an epoch
cases = {}
for name, values, mode in (
    ("1 - Dice 0.2, no better", [0.2 * v for v in still], "min"),
    ("-Dice -0.8, no better", [-0.8 * v for v in still], "min"),
    ("1 - Dice, slowly worse", [0.2 * v for v in worse], "min"),
    ("-Dice, slowly worse", [-0.8 * (2 - v) for v in worse], "min"),
    ("likelihood 0.5, no better", [0.5 * v for v in still], "max"),
    ("log-likelihood -0.7, no better", [-0.7 * v for v in still], "max"),
):
    cases[name] = rate, best, told = watch(values, mode)
    print(f"{name} ({mode}): rate {rate:g} after {EPOCHS} epochs; first {values[0]:.4f}, last {values[-1]:.4f}, best {best:.4f}; {told} warnings")
lowered = [name for name, (rate, _, _) in cases.items() if rate < 1]
holds = (
    lowered == ["1 - Dice 0.2, no better", "1 - Dice, slowly worse", "likelihood 0.5, no better"]
    and cases["-Dice, slowly worse"][1] > -0.8
    and not any(told for _, _, told in cases.values())
)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
