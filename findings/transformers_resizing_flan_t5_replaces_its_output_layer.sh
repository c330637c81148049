#!/usr/bin/env bash
# Versions: transformers 5.23.0, torch 2.13.0 (CPU), numpy 2.4.6, safetensors 0.8.0, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: T5 1.1 and Flan-T5 have an output layer of their own beside the table of inputs. It loads right, and then
#   resize_token_embeddings, by one token or to the same size, puts the table of inputs in its place: the scores of all old
#   tokens are others. tie_weights() does the same. The cause is that tie_word_embeddings, false in the file, is read as
#   true for T5. What is said is how new rows start; and on loading, that the configuration should have false, which it has.
#
# Expected: that two tables which the file says are not one stay two, and that adding a token changes nothing for the old
#   ones, as it does for models whose two tables are one.
#
# Who is hurt: whoever adds tokens to Flan-T5, for places in a picture, speakers, tasks or a prompt. The
#   model starts from an output layer that was never trained for it, and the fine-tuning has to mend that first.
#
# It downloads PyTorch (some hundred megabytes; more where pip takes the files for graphics cards).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    transformers==5.23.0 torch==2.13.0 numpy==2.4.6 safetensors==0.8.0 || cannot "the packages are not to be had"

HF_HUB_OFFLINE=1 venv/bin/python - 2> said.txt <<'PYTHON' || failed=1
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import T5Config, T5ForConditionalGeneration

TOKENS = 100


def write_model() -> torch.Tensor:
    """Save a small T5 as Flan-T5 is saved, with an output layer of its own, and return that layer's weights."""
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=TOKENS, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu",
        decoder_start_token_id=0, pad_token_id=0,
    )
    T5ForConditionalGeneration(config).save_pretrained("saved")
    weights = load_file("saved/model.safetensors")
    weights["lm_head.weight"] = torch.randn(TOKENS, 32)
    save_file(weights, "saved/model.safetensors", metadata={"format": "pt"})
    settings = json.loads(Path("saved/config.json").read_text())
    Path("saved/config.json").write_text(json.dumps(settings | {"tie_word_embeddings": False}))
    return weights["lm_head.weight"]


@torch.no_grad()
def scores(model) -> torch.Tensor:
    """Of the old tokens."""
    inputs, begun = torch.tensor([[5, 6, 7, 1]]), torch.tensor([[0, 8, 9]])
    return model.eval()(input_ids=inputs, decoder_input_ids=begun).logits[..., :TOKENS]


def load() -> T5ForConditionalGeneration:
    return T5ForConditionalGeneration.from_pretrained("saved")


head = write_model()
model = load()
before = scores(model)
loaded_right = torch.equal(model.lm_head.weight, head)
print(f"loaded: the output layer is the file's: {loaded_right}; config says tied: {model.config.tie_word_embeddings}")
print(f"scores from {before.min():.2f} to {before.max():.2f}")
holds = loaded_right and model.config.tie_word_embeddings is True
for title, change in (
    ("one token more", lambda model: model.resize_token_embeddings(TOKENS + 1)),
    ("resized to the same size", lambda model: model.resize_token_embeddings(TOKENS)),
    ("tie_weights()", lambda model: model.tie_weights()),
):
    model = load()
    change(model)
    moved = (scores(model) - before).abs().max().item()
    replaced = torch.equal(model.lm_head.weight[:TOKENS], model.shared.weight[:TOKENS])
    print(f"{title}: old tokens' scores move by up to {moved:.2f}; the table of inputs is the output layer: {replaced}")
    holds &= moved > 1 and replaced
sys.exit(0 if holds else 1)
PYTHON
echo "What was said:"
grep -v -E 'Loading weights|Writing model' said.txt | sort -u || true
if [ -n "${failed:-}" ]; then echo "The finding no longer holds."; exit 1; fi
echo "The finding holds."
