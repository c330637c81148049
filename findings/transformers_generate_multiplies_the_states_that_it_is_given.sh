#!/usr/bin/env bash
# Versions: transformers 5.23.0, torch 2.13.0 (CPU), numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: generate(encoder_outputs=states, num_beams=3) repeats the states of each clip three times inside the object that it is
#   given. Of two clips the first call gives two answers and leaves six rows of states, the second call gives six answers,
#   the third eighteen. The copies of a clip stand together, so that answers 0 and 1 of the second call are both the first clip's. No
#   error, no warning. Without beams the states stay as they are.
#
# Expected: that a function which decodes leaves its input as it was, and answers the same to the same.
#
# Who is hurt: whoever encodes once and decodes several times: by several adapters or prompts, widths of the beam or
#   temperatures. zip(clips, answers) pairs the second clip with the first one's text and says nothing of the rest: the
#   first decoder that is tried has its true error rate, all others the rate of shuffled answers. With one clip at a time only time
#   and memory are lost, threefold more by each call.
#
# It downloads PyTorch (some hundred megabytes; more where pip takes the files for graphics cards).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    transformers==5.23.0 torch==2.13.0 numpy==2.4.6 || cannot "the packages are not to be had"

HF_HUB_OFFLINE=1 venv/bin/python - 2> said.txt <<'PYTHON' || failed=1
import sys

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

CLIPS, BEAMS = 2, 3


def build_model() -> WhisperForConditionalGeneration:
    """A small Whisper whose weights are drawn so large that its answers depend on the sound."""
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=60, d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, init_std=0.5,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, max_source_positions=50, num_mel_bins=16,
        decoder_start_token_id=3, pad_token_id=0, bos_token_id=1, eos_token_id=2, max_length=None,
        suppress_tokens=None, begin_suppress_tokens=None,
    )
    return WhisperForConditionalGeneration(config).eval()


def answers(**inputs) -> list[list[int]]:
    return model.generate(max_new_tokens=6, do_sample=False, **inputs).tolist()


model = build_model()
sounds = torch.randn(CLIPS, 16, 100)
right = answers(input_features=sounds, num_beams=BEAMS)
print(f"the clips' answers, from the sounds: {right}")
assert right[0] != right[1], "clips that cannot be told apart would show nothing"
holds = answers(input_features=sounds, num_beams=BEAMS) == right
states = model.get_encoder()(sounds)
for call in range(3):
    given = len(states.last_hidden_state)
    found = answers(encoder_outputs=states, num_beams=BEAMS)
    pairs = sum(one == other for one, other in zip(right, found))
    left = len(states.last_hidden_state)
    print(f"call {call + 1} from the states: {given} rows in, {left} left, {len(found)} answers; by zip {pairs} of {CLIPS} right")
    holds &= left == BEAMS * given and len(found) == CLIPS * BEAMS**call
    holds &= found == [answer for answer in right for _ in range(BEAMS**call)] and pairs == (1 if call else CLIPS)
plain = model.get_encoder()(sounds)
answers(encoder_outputs=plain, num_beams=1)
print(f"without beams {len(plain.last_hidden_state)} rows are left of {CLIPS}")
holds &= len(plain.last_hidden_state) == CLIPS
sys.exit(0 if holds else 1)
PYTHON
if [ -n "${failed:-}" ] || grep -q -i -E 'row|batch|expand|encoder_outputs' said.txt; then
    cat said.txt
    echo "The finding no longer holds."
    exit 1
fi
echo "The finding holds."
