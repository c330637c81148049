#!/usr/bin/env bash
# Versions: audioread 3.1.0, soundfile 0.14.0 (makes the files and reads them right), numpy 2.4.6, Python 3.11, Linux
#   x86-64; seen in November 2026.
#
# Seen: audio_open of a WAV file with 8 bits a sample gives it torn apart: a quiet tone is 22 dB louder, and silence stands at
#   the lowest value there is. Of AIFF and Sun files with 24 bits it gives the lowest 16 of the 24, which are noise,
#   18 dB louder than the tone. With 16 bits all is right. Length, rate and channels are right everywhere, and
#   there is no error. The standard library's conversion of widths takes samples to be signed and in the machine's own
#   order of bytes; those of 8-bit WAV have no sign, and those of AIFF are turned round only after it.
#
# Expected: the sound, as 16-bit samples, as its documentation promises for any file that it opens.
#
# Who is hurt: whoever reads sounds by it, for features, fingerprints or as the last resort of another library (lhotse, librosa
#   before 1.0): telephone speech and old sound effects are often 8-bit WAV (UrbanSound8K has some), recordings from
#   studios 24-bit AIFF. A model that is trained on them has labels on noise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    audioread==3.1.0 soundfile==0.14.0 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys
import warnings

warnings.filterwarnings("ignore", category=DeprecationWarning)  # of modules of Python itself, in some versions

import audioread
import numpy as np
import soundfile

RATE_HZ = 16_000
tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)


def read(path: str) -> np.ndarray:
    with audioread.audio_open(path) as file:
        return np.frombuffer(b"".join(file), "<i2") / 32768


def level_db(samples: np.ndarray) -> float:
    return 10 * np.log10((samples**2).mean() / (tone**2).mean())


def compare(kind: str, width: str) -> tuple[float, float, float]:
    """The level against the tone's and the likeness to it by audioread, and the likeness by soundfile."""
    path = f"tone_{width}.{kind}"
    soundfile.write(path, tone, RATE_HZ, subtype=width)
    found, right = read(path), soundfile.read(path)[0]
    assert len(found) == len(right) == RATE_HZ
    likeness = [float(np.corrcoef(tone, other)[0, 1]) for other in (found, right)]
    print(f"{kind} {width}: level {level_db(found):+.1f} dB, correlation with the tone {likeness[0]:.3f}; "
          f"soundfile's {likeness[1]:.3f}")
    return level_db(found), *likeness


sound = [compare(kind, width) for kind, width in (("wav", "PCM_16"), ("wav", "PCM_24"), ("aiff", "PCM_16"))]
noise = [compare(kind, width) for kind, width in (("wav", "PCM_U8"), ("aiff", "PCM_24"), ("au", "PCM_24"))]
soundfile.write("silence.wav", np.zeros(RATE_HZ), RATE_HZ, subtype="PCM_U8")
silence = read("silence.wav")
print(f"silence in 8-bit WAV: all samples {set(silence.tolist())}; soundfile's {set(soundfile.read('silence.wav')[0].tolist())}")
holds = (
    all(abs(level) < 0.1 and likeness > 0.999 for level, likeness, _ in sound)
    and all(level > 15 and likeness < 0.1 and right > 0.99 for level, likeness, right in noise)
    and set(silence.tolist()) == {-1.0}
)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
