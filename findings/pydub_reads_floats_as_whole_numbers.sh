#!/usr/bin/env bash
# Versions: pydub 0.25.1 (on Python 3.13 and later with audioop-lts 0.2.2), soundfile 0.14.0 (libsndfile 1.2.2) to write and to
#   compare, numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: AudioSegment.from_file takes WAV files with WAVE_FORMAT_EXTENSIBLE for whole numbers and does not look at the part of the
#   header that says which kind they hold. Of 32-bit floats it reads the bits as integers. Then the exponent is the
#   loudness: everything but exact zeros comes out between half and full level, the noise of the room as loud as
#   the tone that was 74 dB above it. The length is right. Under the plain header for floats it sees that they are floats.
#
# Expected: the sound, as FFmpeg, soundfile and scipy read it; or an error.
#
# Who is hurt: whoever feeds pydub with floats that FFmpeg or a sound editor wrote: FFmpeg writes that header for all samples of
#   more than 16 bits, for more than two channels and above 48 kHz. A data set that is converted so trains and scores on a hard
#   distortion without pauses; checks of length and rate pass.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    pydub==0.25.1 soundfile==0.14.0 numpy==2.4.6 'audioop-lts==0.2.2; python_version >= "3.13"' ||
    cannot "the packages are not to be had"

venv/bin/python -W ignore - <<'PYTHON'
import sys

import numpy as np
import soundfile
from pydub import AudioSegment

RATE = 16_000
random = np.random.default_rng(0)
room = 1e-4 * random.standard_normal(RATE)
tone = 0.7 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
sound = np.concatenate([room, tone])


def levels(samples: np.ndarray) -> list[float]:
    """The levels of the first second, the room, and of the second, the tone, in dB of full scale."""
    return [float(20 * np.log10(np.sqrt(np.mean(half**2)))) for half in np.split(samples, 2)]


holds = True
for subtype in ("PCM_32", "FLOAT"):
    soundfile.write("tone.wav", sound, RATE, format="WAVEX", subtype=subtype)
    segment = AudioSegment.from_file("tone.wav")
    pydub_db = levels(np.array(segment.get_array_of_samples()) / segment.max_possible_amplitude)
    soundfile_db = levels(soundfile.read("tone.wav")[0])
    print(f"{subtype}: pydub room {pydub_db[0]:.1f} dB, tone {pydub_db[1]:.1f} dB; ", end="")
    print(f"soundfile room {soundfile_db[0]:.1f} dB, tone {soundfile_db[1]:.1f} dB; {len(segment)} ms")
    apart = pydub_db[1] - pydub_db[0]
    holds &= len(segment) == 2000 and soundfile_db[1] - soundfile_db[0] > 70
    holds &= apart < 3 if subtype == "FLOAT" else apart > 70
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
