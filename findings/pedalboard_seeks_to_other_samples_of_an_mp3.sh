#!/usr/bin/env bash
# Versions: pedalboard 0.9.26, soundfile 0.14.0 (libsndfile 1.2.2, which writes the files and is compared), numpy 2.4.6,
#   Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: The first seek() of an opened MP3 file gives the right samples; most later ones, after something was read, give samples that
#   lie 576 to 2304 further on (13 to 52 ms at 44.1 kHz): of files of variable rate and of those that libsndfile writes by
#   default. tell() gives the number asked for. Which offset it is depends on what was read before; a file that is opened
#   anew for each piece has none, nor has one of constant rate.
#
# Expected: after seek(n) the samples from n on ("Seek this file to the provided location in frames"), as of its other formats,
#   and as soundfile does of the same file. Or False from seekable().
#
# Who is hurt: whoever cuts clips for training out of long MP3 files by their times, in one loop over the open file: words, onsets
#   and lip movements are up to 52 ms late against their labels, more than a picture at 25 a second. The offset differs
#   from clip to clip, so no shift puts it right, and the first clip, at which one looks, is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    pedalboard==0.9.26 soundfile==0.14.0 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import soundfile
from pedalboard.io import AudioFile

RATE, LENGTH = 44_100, 8_820
PLACES = (1_000, 44_100, 100_000, 250_000, 400_000, 600_000, 800_000)
noise = np.convolve(np.random.default_rng(0).standard_normal(20 * RATE), np.exp(-np.arange(200) / 20), "same")
noise = 0.9 * noise / np.abs(noise).max()


def place_of(piece: np.ndarray, whole: np.ndarray, asked: int) -> int:
    """Say where a piece lies in the whole file, near the place asked for."""
    start = max(0, asked - LENGTH)
    near = whole[start : asked + 2 * LENGTH]
    size = 1 << len(near).bit_length()
    alike = np.fft.irfft(np.fft.rfft(near, size) * np.conj(np.fft.rfft(piece, size)), size)
    return start + int(alike[: len(near) - len(piece)].argmax())


def offsets(name: str) -> tuple[list[int], list[int], list[int]]:
    """Return how many samples late the pieces are: pedalboard's, those of files opened anew, soundfile's."""
    with AudioFile(name) as file:
        whole = file.read(file.frames)[0]
    other_whole, _ = soundfile.read(name, dtype="float32")
    ours, anew, others = [], [], []
    with AudioFile(name) as file, soundfile.SoundFile(name) as other:
        for asked in PLACES:
            file.seek(asked)
            assert file.tell() == asked
            ours.append(place_of(file.read(LENGTH)[0], whole, asked) - asked)
            with AudioFile(name) as file_anew:
                file_anew.seek(asked)
                anew.append(place_of(file_anew.read(LENGTH)[0], whole, asked) - asked)
            other.seek(asked)
            others.append(place_of(other.read(LENGTH, dtype="float32"), other_whole, asked) - asked)
    return ours, anew, others


print(f"seek to {list(PLACES)}; how many samples later the piece lies in the file:")
found = {}
for kind, options in {
    "variable rate": {"bitrate_mode": "VARIABLE", "compression_level": 0.5},
    "as libsndfile writes by default": {},
    "constant rate": {"bitrate_mode": "CONSTANT", "compression_level": 0.3},
}.items():
    soundfile.write("noise.mp3", noise, RATE, **options)
    found[kind] = offsets("noise.mp3")
    print(f"{kind}: {found[kind][0]}; opened anew {found[kind][1]}; soundfile {found[kind][2]}")
variable, anew, exact = found["variable rate"]
holds = variable[0] == 0 and max(variable) >= 1152 and len({*variable}) > 2 and not any(anew + exact)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
