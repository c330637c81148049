#!/usr/bin/env bash
# Versions: transformers 5.23.0, tokenizers 0.23.3, torch 2.13.0 (CPU), numpy 2.4.6, Python 3.11, Linux x86-64; seen in
#   November 2026.
#
# Seen: from_pretrained of CLIPTokenizer, WhisperTokenizer and BertTokenizer, and AutoTokenizer, of a local folder in which a model
#   was saved and no tokenizer, returns a tokenizer of 1 to 5 entries, the special ones. No error, no warning. CLIP's makes each
#   character an end mark. A CLIPSeg that is given its numbers answers all prompts alike, to the bit.
#
# Expected: an OSError, as from_pretrained of the model and of the image processor raises where the folder lacks their files; and
#   as the tokenizers' own did in version 4 of the library.
#
# Who is hurt: whoever saves with model.save_pretrained(folder), forgets the tokenizer's or processor's, and loads both from there
#   with the class by its name: training and evaluation run, the loss falls as far as it can without text, and the
#   model looks as if it did not heed prompts, or transcribes nothing.
#
# It downloads PyTorch (some hundred megabytes; more where pip takes the files for graphics cards).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    transformers==5.23.0 tokenizers==0.23.3 torch==2.13.0 numpy==2.4.6 || cannot "the packages are not to be had"

HF_HUB_OFFLINE=1 venv/bin/python - 2> said.txt <<'PYTHON' || failed=1
import sys
import warnings

import torch
from transformers import (
    AutoTokenizer, BertTokenizer, CLIPSegConfig, CLIPSegForImageSegmentation, CLIPTokenizer, WhisperTokenizer,
)

PROMPTS = ["a polyp", "no polyp", "tumour!"]
warnings.simplefilter("always")
layer = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=4, num_attention_heads=2)
config = CLIPSegConfig(
    projection_dim=32, reduce_dim=16, extract_layers=[1, 2, 3], decoder_num_attention_heads=2,
    decoder_intermediate_size=32, initializer_factor=0.3,
    vision_config=dict(layer, image_size=64, patch_size=16),
    text_config=dict(layer, vocab_size=600, max_position_embeddings=77, bos_token_id=0, eos_token_id=2, pad_token_id=1),
)
torch.manual_seed(0)
CLIPSegForImageSegmentation(config).save_pretrained("saved")
holds = True
for kind in (AutoTokenizer, CLIPTokenizer, WhisperTokenizer, BertTokenizer):
    tokenizer = kind.from_pretrained("saved")
    print(f"{kind.__name__}: {len(tokenizer)} entries; {PROMPTS[0]!r} is {tokenizer(PROMPTS[0])['input_ids']}")
    holds &= len(tokenizer) <= 5
tokenizer = CLIPTokenizer.from_pretrained("saved")
model = CLIPSegForImageSegmentation.from_pretrained("saved").eval()
inputs = tokenizer(PROMPTS, padding=True, return_tensors="pt")
picture = torch.randn(1, 3, 64, 64).expand(len(PROMPTS), -1, -1, -1)
with torch.no_grad():
    logits = model(**inputs, pixel_values=picture).logits
same = [torch.equal(logits[0], other) for other in logits]
print(f"CLIPSeg's masks for {PROMPTS}: the same as the first: {same}")
holds &= all(same) and logits.std().item() > 0
words = model(input_ids=torch.tensor([[0, 5, 2], [0, 6, 2]]), pixel_values=picture[:2]).logits
print(f"and for two other words, by their numbers: the same: {torch.equal(words[0], words[1])}")
holds &= not torch.equal(words[0], words[1])
sys.exit(0 if holds else 1)
PYTHON
echo "What was said about it: $(grep -i -c -E 'tokenizer|vocab|merges' said.txt || true) lines with tokenizer, vocab or merges"
if [ -n "${failed:-}" ] || grep -q -i -E 'tokenizer|vocab|merges' said.txt; then
    cat said.txt
    echo "The finding no longer holds."
    exit 1
fi
echo "The finding holds."
