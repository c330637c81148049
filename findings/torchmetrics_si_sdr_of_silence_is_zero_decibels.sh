#!/usr/bin/env bash
# Versions: torchmetrics 1.9.0, torch 2.13.0 (CPU), numpy 2.4.6, auraloss 0.4.0 for comparison, Python 3.11, Linux x86-64;
#   seen in November 2026.
#
# Seen: scale_invariant_signal_distortion_ratio gives an estimate that is nothing but zeros 0.0 dB, whatever the reference.
#   Turning a bad estimate down raises its score towards 0 dB: white noise against a tone goes up by tens of decibels when
#   it is made quieter, though nothing else of it changes. The small number that is added above and below the
#   fraction outweighs both sides there. In the same way the score of a good estimate falls where the recording is quiet.
#
# Expected: a measure that is scale-invariant by its name, and for silence, which has nothing of the reference in it, the
#   worst value (auraloss gives -80 dB), nan or an error.
#
# Who is hurt: whoever scores separation or enhancement. A separator that puts out nothing beats one that puts out
#   something; where speech lies under louder noise (-5 dB) silence even counts as an improvement of 5 dB. Sources that
#   stay empty, as those of models trained on mixtures of mixtures do, raise the mean.
#
# It downloads PyTorch (some hundred megabytes; more where pip takes the files for graphics cards).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    torchmetrics==1.9.0 auraloss==0.4.0 torch==2.13.0 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys

import torch
from auraloss.time import SISDRLoss
from torchmetrics.functional.audio import scale_invariant_signal_distortion_ratio as si_sdr

RATE = 16_000
generator = torch.Generator().manual_seed(0)
time = torch.arange(RATE) / RATE
speech = 0.1 * torch.sin(2 * torch.pi * 440 * time)
speech *= 0.5 + 0.5 * torch.sin(2 * torch.pi * 3 * time)
noise = torch.randn(RATE, generator=generator)
noise *= speech.norm() / noise.norm()
silence = torch.zeros(RATE)
mixture = speech + 10 ** (5 / 20) * noise  # at -5 dB


def score(estimate: torch.Tensor, reference: torch.Tensor = speech) -> float:
    return si_sdr(estimate, reference).item()


def peer(estimate: torch.Tensor) -> float:
    return -SISDRLoss()(estimate[None, None], speech[None, None]).item()


nothing, before = score(silence), score(mixture)
print(f"silence: {nothing:.1f} dB; auraloss: {peer(silence):.1f} dB")
print(f"the mixture: {before:.1f} dB; so silence is an improvement of {nothing - before:.1f} dB")
noises = {level: score(level * noise) for level in (1.0, 1e-3, 1e-5, 1e-7)}
for level, value in noises.items():
    print(f"noise alone, {level:g} times as loud: {value:.1f} dB")
good = speech + 0.01 * noise
goods = {level: score(level * good, level * speech) for level in (1.0, 1e-3, 1e-5)}
for level, value in goods.items():
    print(f"an estimate with 1 % of noise, both {level:g} times as loud: {value:.1f} dB")
holds = (
    nothing == 0.0
    and peer(silence) < -70
    and 4 < nothing - before < 6
    and noises[1.0] < -25
    and noises[1e-7] > -1
    and goods[1.0] > 39
    and goods[1e-5] < 20
)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
