#!/usr/bin/env bash
# Versions: transformers 5.23.0, torch 2.13.0 (CPU), numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: in a CLIPSeg that is built from its configuration, the decoder's own layers (film_mul, film_add, the three reduces and
#   all three of the upsampler) start from a normal distribution of deviation 1.0, whatever their width. The first logits of
#   a model of the published size are about 500 in the mean and up to thousands, so that their cross-entropy is in the hundreds,
#   with float16 on the way to its limit. The cause: a configuration without initializer_range has its
#   initializer_factor, a multiplier which is 1.0, taken for the deviation. The encoders and the layers of the decoder's
#   transformer, which have a rule of their own, start as small as they should.
#
# Expected: a start like that of torch's own linear and convolution layers (0.02 to 0.15 here), with
#   which the published models were trained, or the library's usual deviation of 0.02.
#
# Who is hurt: whoever trains a new decoder on CLIP: from a configuration, or from a saved model that has another width,
#   where the library fills what is missing just so. The training spends its epochs on shrinking weights, looks as if
#   CLIPSeg could not learn the data, and in half precision ends in nan. initializer_factor=0.02 mends the decoder
#   and makes the encoders' weights 50 times too small.
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

venv/bin/python - <<'PYTHON'
import sys

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import CLIPSegConfig, CLIPSegForImageSegmentation


def layers_of(decoder) -> dict[str, nn.Module]:
    """Those of the decoder that are linear or convolutions, but for its transformer layers."""
    kinds = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
    return {n: m for n, m in decoder.named_modules() if isinstance(m, kinds) and not n.startswith("layers.")}


@torch.no_grad()
def first_logits(model) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(1, 3, 352, 352, generator=generator)
    prompt = torch.tensor([[49406, 320, 1929, 49407]])
    return model(input_ids=prompt, pixel_values=pixels).logits


def tell(title: str, model) -> tuple[float, float]:
    logits = first_logits(model)
    mask = (torch.arange(logits.numel()) % 2).float().view_as(logits)
    loss = binary_cross_entropy_with_logits(logits, mask).item()
    print(f"{title}: first logits {logits.abs().mean():.1f} in the mean, {logits.abs().max():.0f} at most; cross-entropy {loss:.1f}")
    return logits.abs().mean().item(), loss


torch.manual_seed(0)
config = CLIPSegConfig(use_complex_transposed_convolution=True, vision_config=dict(patch_size=16))
model = CLIPSegForImageSegmentation(config).eval()
print(f"initializer_factor {config.initializer_factor}, has initializer_range: {hasattr(config, 'initializer_range')}")
layers = layers_of(model.decoder)
deviations = {name: layer.weight.std().item() for name, layer in layers.items()}
as_built = tell("as transformers builds it", model)
usual = {}
for name, layer in layers.items():
    layer.reset_parameters()
    usual[name] = layer.weight.std().item()
as_torch = tell("with these layers as torch starts them", model)
for name, value in deviations.items():
    print(f"  {name}: deviation {value:.2f}, torch's {usual[name]:.3f}")
inner = model.decoder.layers[0].mlp.fc1.weight.std().item()
print(f"  layers.0.mlp.fc1, which has a rule: {inner:.3f}")
holds = (
    len(deviations) == 8
    and all(0.9 < value < 1.1 for value in deviations.values())
    and all(value < 0.2 for value in usual.values())
    and inner < 0.2
    and as_built[0] > 100 and as_built[1] > 50
    and as_torch[0] < 5 and as_torch[1] < 2
)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
