#!/usr/bin/env bash
# Versions: torchaudio 2.11.0, torch 2.11.0, numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: torchaudio.functional.loudness weighs a sound by two filters, each of which holds its output between -1 and 1. The first
#   lifts treble by some 4 dB, so that a loud sound is clipped before it is measured: a tone of 3 kHz that is made 20 dB
#   louder, up to full scale, is told to be 17.7 dB louder; 100 Hz, which the filters do not lift, 20.0. The same samples
#   measured 20 dB down, and 20 dB added to the result, give the right number. Nothing is warned of.
#
# Expected: 20 dB more for each sound that is 20 dB louder, as ITU-R BS.1770 has it, which knows no full scale between its
#   filters and its mean square; the documentation names that standard and no limit.
#
# Who is hurt: whoever brings speech or music to one level by it: recordings near full scale with much treble, sibilants and
#   cymbals, are told too quiet, by more than 2 LU at worst, and left too loud; a loss or a condition of loudness saturates there.
#
# It downloads PyTorch (some hundred megabytes; more where pip takes the files for graphics cards).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    torchaudio==2.11.0 torch==2.11.0 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys
import warnings

import torch
from torchaudio.functional import loudness

RATE_HZ, QUIET_DB = 48_000, -20.0
times = torch.arange(4 * RATE_HZ) / RATE_HZ
off = {}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    for hertz in (100, 1000, 3000, 8000):
        tone = torch.sin(2 * torch.pi * hertz * times)[None]
        quiet = float(loudness(10 ** (QUIET_DB / 20) * tone, RATE_HZ))
        full = float(loudness(tone, RATE_HZ))
        off[hertz] = full - quiet + QUIET_DB
        print(f"{hertz} Hz: {quiet:.2f} LUFS at -20 dB, {full:.2f} at full scale: {full - quiet:.2f} dB more")
said = [str(one.message) for one in caught if "clip" in str(one.message) or "clamp" in str(one.message)]
print("Said of clipping:", said or "nothing")
holds = abs(off[100]) < 0.01 and off[3000] < -2 and off[8000] < -2 and not said
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
