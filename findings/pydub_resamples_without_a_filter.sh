#!/usr/bin/env bash
# Versions: pydub 0.25.1 (on Python 3.13 and later with audioop-lts 0.2.2), numpy 2.4.6, soxr 1.1.0 to compare, Python 3.11,
#   Linux x86-64; seen in November 2026.
#
# Seen: AudioSegment.set_frame_rate interpolates between neighbouring samples and has no filter. From 48 kHz to 16 kHz a tone of
#   10 kHz, which 16 kHz cannot hold, comes out as a tone of 6 kHz at full level (less than 0.1 dB lower). A resampler
#   with a filter leaves nothing of it. Clips without sound over 8 kHz are fine, which is why nobody hears it in a first test.
#
# Expected: that lowering the rate takes away what the new rate cannot hold, as every resampler made for sound does.
#
# Who is hurt: whoever prepares 16 kHz clips for speech recognition or sound classification with pydub: breath, s, f, cymbals,
#   keys and insects above 8 kHz are folded into the band of speech. Training and test made by the same script agree with each
#   other, so the scores do not tell; the model then meets sound that was resampled properly.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    pydub==0.25.1 numpy==2.4.6 soxr==1.1.0 'audioop-lts==0.2.2; python_version >= "3.13"' \
    || cannot "the packages are not to be had"

venv/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
import soxr
from pydub import AudioSegment

TONE_HZ, FROM_HZ, TO_HZ = 10_000, 48_000, 16_000
seconds = np.arange(2 * FROM_HZ) / FROM_HZ
tone = np.round(16_000 * np.sin(2 * np.pi * TONE_HZ * seconds)).astype(np.int16)


def loudest(samples: np.ndarray) -> tuple[float, float]:
    """The strongest frequency in hertz and its level against the tone put in, in dB."""
    middle = samples[TO_HZ // 2 : -TO_HZ // 2].astype(float)
    window = np.hanning(len(middle))
    amplitudes = np.abs(np.fft.rfft(middle * window)) / (window.sum() / 2)
    strongest = int(amplitudes.argmax())
    level = 20 * np.log10(max(amplitudes[strongest], 1e-9) / 16_000)
    return strongest * TO_HZ / len(middle), float(level)


segment = AudioSegment(tone.tobytes(), frame_rate=FROM_HZ, sample_width=2, channels=1)
pydub_hz, pydub_db = loudest(np.array(segment.set_frame_rate(TO_HZ).get_array_of_samples()))
_, soxr_db = loudest(soxr.resample(tone.astype(np.float32), FROM_HZ, TO_HZ))
print(f"A tone of {TONE_HZ} Hz, from {FROM_HZ} Hz to {TO_HZ} Hz")
print(f"pydub: a tone of {pydub_hz:.0f} Hz, {pydub_db:.2f} dB against the one put in")
print(f"soxr: nothing louder than {soxr_db:.0f} dB")
holds = abs(pydub_hz - 6_000) < 2 and pydub_db > -0.1 and soxr_db < -80
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
