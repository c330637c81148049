#!/usr/bin/env bash
# Versions: SpeechRecognition 3.17.0, numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: Recognizer.record(source, duration=1) reads buffers of 4096 samples and gives back as many whole ones as fit: of a file at
#   16 kHz 0.768 s, at 8 kHz 0.512 s. The buffer that no longer fits has been read by then and is thrown away. So a file that
#   is taken piece by piece, one second a call, loses 0.256 s after every 0.768 s: a quarter of what was said, the words
#   at each border. In pieces of two seconds it is an eighth. No error, no warning.
#
# Expected: one second for duration=1; and of pieces taken one after the other that the next begins where the last ended, as
#   those of any file that is read bit by bit.
#
# Who is hurt: whoever transcribes long recordings in pieces, the usual way around the limits of recognition services: words
#   are missing in the transcript, and the times of all later pieces, counted in seconds asked for, are too early.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check SpeechRecognition==3.17.0 numpy==2.4.6 ||
    cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys
import wave

import numpy as np
import speech_recognition

SECONDS = 12


def write_count(rate_hz: int) -> np.ndarray:
    """Write a file in which no stretch of two samples occurs twice, and return its samples."""
    samples = np.random.default_rng(0).integers(-30_000, 30_000, SECONDS * rate_hz).astype(np.int16)
    with wave.open("count.wav", "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return samples


def take_pieces(duration_s: float) -> list[np.ndarray]:
    """Read the file piece by piece until it ends."""
    pieces, recognizer = [], speech_recognition.Recognizer()
    with speech_recognition.AudioFile("count.wav") as source:
        while len(piece := np.frombuffer(recognizer.record(source, duration=duration_s).frame_data, np.int16)):
            pieces.append(piece)
    return pieces


holds = True
for rate_hz, duration_s, share in ((16_000, 1, 0.25), (16_000, 2, 0.125), (8_000, 1, 0.5)):
    samples = write_count(rate_hz)
    pieces = take_pieces(duration_s)
    starts = [int(np.flatnonzero((samples[:-1] == p[0]) & (samples[1:] == p[1]))[0]) / rate_hz for p in pieces]
    lengths = [len(piece) / rate_hz for piece in pieces]
    lost = 1 - sum(lengths) / SECONDS
    print(f"{rate_hz} Hz, duration={duration_s}: first piece {lengths[0]:.3f} s, starts of the first three {starts[:3]}")
    print(f"    of {SECONDS} s {sum(lengths):.2f} s arrive, {lost:.0%} are lost")
    holds &= lengths[0] < duration_s and starts[1] > lengths[0] and abs(lost - share) < 0.05
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
