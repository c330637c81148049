#!/usr/bin/env bash
# Versions: diffusers 0.42.1, torch 2.13.0 (CPU), numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: UNet2DConditionModel(attention_head_dim=8) has 8 heads at each level, 8, 16 and more wide; UNet2DModel with the same
#   attention_head_dim=8 has heads that are 8 wide, 8 and 16 of them. num_attention_heads, which the signature offers
#   and the documentation explains, raises an error whose text says that it comes with version 0.19.
#
# Expected: what the documentation of both classes says: "The dimension of the attention heads", and one meaning of one name
#   within a library.
#
# Who is hurt: whoever builds a denoiser of their own from the sizes that a paper prints. Heads of 64 at 320 channels, as
#   attention_head_dim=64, become 64 heads of 5: it trains, more slowly and worse, and nothing tells. Weights of another
#   software with the same sizes load without a complaint, as all shapes agree, and give other pictures.
#
# It downloads PyTorch (some hundred megabytes; more where pip takes the files for graphics cards).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cannot() { echo "Could not be tried: $1." >&2; exit 2; }
"${PYTHON:-python3}" -m venv venv || cannot "no virtual environment"
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    diffusers==0.42.1 torch==2.13.0 numpy==2.4.6 || cannot "the packages are not to be had"

venv/bin/python - <<'PYTHON'
import sys

import torch
from diffusers import UNet2DConditionModel, UNet2DModel

SIZES = dict(block_out_channels=(64, 128), layers_per_block=1, norm_num_groups=8)
CONDITION = dict(
    down_block_types=("CrossAttnDownBlock2D",) * 2,
    up_block_types=("CrossAttnUpBlock2D",) * 2,
    cross_attention_dim=32,
)
PLAIN = dict(down_block_types=("AttnDownBlock2D",) * 2, up_block_types=("AttnUpBlock2D",) * 2)


def heads(model: torch.nn.Module) -> set[tuple[int, int]]:
    """How many heads its attentions have, and how wide each is."""
    layers = [module for module in model.modules() if hasattr(module, "heads") and hasattr(module, "to_q")]
    return {(layer.heads, layer.to_q.out_features // layer.heads) for layer in layers}


def tell(found: set[tuple[int, int]]) -> str:
    return ", ".join(f"{count} heads of {width}" for count, width in sorted(found))


told = heads(UNet2DConditionModel(attention_head_dim=8, **CONDITION, **SIZES))
plain = heads(UNet2DModel(attention_head_dim=8, **PLAIN, **SIZES))
print(f"UNet2DConditionModel(attention_head_dim=8), 64 and 128 channels: {tell(told)}")
print(f"UNet2DModel(attention_head_dim=8), 64 and 128 channels: {tell(plain)}")
torch.manual_seed(0)
eight = UNet2DConditionModel(attention_head_dim=8, **CONDITION, **SIZES).eval()
four = UNet2DConditionModel(attention_head_dim=4, **CONDITION, **SIZES).eval()
missing = four.load_state_dict(eight.state_dict())
with torch.no_grad():
    noisy, text = torch.randn(1, 4, 8, 8), torch.randn(1, 3, 32)
    one, other = (model(noisy, 500, text).sample for model in (eight, four))
gap = ((one - other).norm() / one.norm()).item()
print(f"the weights of 8 heads in a model of 4: {missing}; the answers differ by {100 * gap:.1f} %")
try:
    UNet2DConditionModel(num_attention_heads=8)
    refused = "is taken"
except ValueError as error:
    refused = str(error)
print(f"num_attention_heads=8: {refused}")
holds = (
    told == {(8, 8), (8, 16)}
    and plain == {(8, 8), (16, 8)}
    and gap > 1e-4
    and "v0.19" in refused
)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
