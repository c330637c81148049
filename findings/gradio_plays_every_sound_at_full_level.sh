#!/usr/bin/env bash
# Versions: gradio 6.31.0, soundfile 0.14.0, numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: what a function hands to gr.Audio as (rate, floats) is divided by its largest value before it is written, so that each
#   sound is played at full level: one at -60 dB, one at -120 dB and one at 0 dB give the same file, to the sample. The
#   same sound as 16-bit integers is played as it is. The warning says "from float32 to 16-bit int format" and nothing
#   about a level; a line in the class's documentation does, of all arrays, and gives clipping as the reason.
#
# Expected: floats between -1 and 1 as they are, as WAV files, soundfile, torchaudio and the browser's own player have it; and
#   one level for one sound, whatever the type of its samples.
#
# Who is hurt: whoever shows separation, noise reduction or generated sound: what a separator leaves of the other
#   speaker at -60 dB is as loud as the speaker, before and after cannot be compared by ear, and in a listening test
#   all loudness is lost. A mixture's parts, downloaded from the page, no longer add up to it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    gradio==6.31.0 soundfile==0.14.0 numpy==2.4.6 || cannot "the packages are not to be had"

export GRADIO_ANALYTICS_ENABLED=False GRADIO_TEMP_DIR="$folder/gradio" HF_HUB_OFFLINE=1
venv/bin/python - <<'PYTHON'
import sys
import warnings

import gradio
import numpy as np
import soundfile

RATE_HZ = 16_000
tone, other = np.sin(2 * np.pi * np.outer([440, 1000], np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)
said: set[str] = set()


def played(samples: np.ndarray) -> np.ndarray:
    """What the page gets to play, as floats between -1 and 1."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        path = gradio.Audio().postprocess((RATE_HZ, samples)).path
    said.update(str(warning.message) for warning in caught)
    return soundfile.read(path)[0]


def decibels(samples: np.ndarray) -> float:
    return 20 * np.log10(np.abs(samples).max() + 1e-12)


levels = {level_db: played(10 ** (level_db / 20) * tone) for level_db in (0, -20, -60, -120)}
for level_db, samples in levels.items():
    print(f"floats, peak at {level_db} dB: played at {decibels(samples):.1f} dB")
as_16_bit = played((0.1 * 32767 * tone).astype(np.int16))
print(f"the same with -20 dB as 16-bit integers: {decibels(as_16_bit):.1f} dB")
mixture, loud, quiet = played(0.9 * tone + 0.001 * other), played(0.9 * tone), played(0.001 * other)
print(f"a mixture less its two parts, as played: {decibels(mixture - loud - quiet):.1f} dB")
print("What was said:", *sorted(said), sep="\n    ")
holds = (
    all(abs(decibels(samples)) < 0.01 for samples in levels.values())
    and abs(decibels(as_16_bit) + 20) < 0.1
    and all(np.array_equal(samples, levels[0]) for samples in levels.values())
    and decibels(mixture - loud - quiet) > -6
    and not any(word in text for text in said for word in ("level", "loud", "peak", "normali", "amplitude"))
)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
