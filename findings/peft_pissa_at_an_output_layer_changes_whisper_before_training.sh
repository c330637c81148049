#!/usr/bin/env bash
# Versions: peft 0.21.2, transformers 5.23.0, torch 2.13.0 (CPU), numpy 2.4.6, Python 3.11, Linux x86-64; seen in
#   November 2026.
#
# Seen: LoraConfig(init_lora_weights="pissa") and "olora" take the adapter's first value out of the frozen weight, so that
#   the two together are what the weight was. At q_proj of a Whisper the model indeed says the same before and after.
#   At proj_out it does not: that matrix is the table of input embeddings, too, which now lacks what was taken out and
#   has no adapter to put it back. The logits of an untrained model are off by about half of the largest of them. No warning
#   says so, though PEFT has one for merging into tied layers.
#
# Expected: a model that says what it said, as for every other start and layer; or the warning that merging gives.
#
# Who is hurt: whoever adapts the output layer of Whisper, or of another model whose embeddings are tied, with these starts:
#   training begins from a damaged model and spends its steps on mending it.
#
# It downloads PyTorch (some hundred megabytes; more where pip takes the files for graphics cards).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    peft==0.21.2 transformers==5.23.0 torch==2.13.0 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys
import warnings

import torch
from peft import LoraConfig, get_peft_model
from transformers import WhisperConfig, WhisperForConditionalGeneration

CONFIG = WhisperConfig(
    vocab_size=60, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
    decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_source_positions=20,
    max_target_positions=10, num_mel_bins=8, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    decoder_start_token_id=1,
)
MEL = torch.randn(1, 8, 40, generator=torch.Generator().manual_seed(1))
TOKENS = torch.tensor([[1, 5, 7]])


@torch.no_grad()
def logits(model) -> torch.Tensor:
    return model(input_features=MEL, decoder_input_ids=TOKENS).logits


def change(start, layer: str) -> tuple[float, list[str]]:
    """How far the untrained model is off, in parts of the largest logit, and what was warned of."""
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(CONFIG).eval()
    before = logits(model)
    config = LoraConfig(r=4, target_modules=[layer], init_lora_weights=start)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        adapted = get_peft_model(model, config)
    after = logits(adapted.base_model.model)
    tied = [str(t.message) for t in told if "tie" in str(t.message).lower()]
    return float((after - before).abs().max() / before.abs().max()), tied


holds = True
for start in (True, "pissa", "olora"):
    for layer in ("q_proj", "proj_out"):
        off, told = change(start, layer)
        print(f"init_lora_weights={start!r} at {layer}: untrained logits off by {off:.3f} of the largest; warned: {told}")
        damaged = start is not True and layer == "proj_out"
        holds &= (off > 0.3 if damaged else off < 1e-4) and not told
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
