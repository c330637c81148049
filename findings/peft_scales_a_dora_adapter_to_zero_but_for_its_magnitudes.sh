#!/usr/bin/env bash
# Versions: peft 0.21.2, transformers 5.23.0, torch 2.13.0 (CPU), numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: peft.helpers.rescale_adapter_scale, which takes an adapter back to a share of itself while a block runs, turns the directions
#   of a DoRA adapter down and its magnitudes not at all. Where these have learnt to make rows of the weight longer or
#   shorter, a share of 0 leaves half of all that the adapter changes, and 0.5 three quarters. layer.scale_layer(0) does the
#   same. A plain LoRA is the base model at 0, to the bit, and half of itself at 0.5.
#
# Expected: the base model at 0, the adapter at 1, and a straight way in between: the function is documented as strictly that
#   (WiSE-FT), for all of LoRA.
#
# Who is hurt: whoever fades an adapter in and out by how noisy, how far from the training or how sure something is, or slides
#   between base and adapter to find the best of both: with DoRA neither end nor middle is what is meant.
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

import torch
from peft import LoraConfig, get_peft_model
from peft.helpers import rescale_adapter_scale
from peft.tuners.lora import LoraLayer

WIDTH = 64
SHARES = (0.0, 0.5, 1.0)


def learn(dora: bool) -> tuple[dict[float, float], float]:
    """Teach an adapter other row norms and a change of rank 2.

    Returns:
        How much of the whole change is there by shares of it, as root mean squares; and by scale_layer(0).
    """
    torch.manual_seed(0)
    layer, goal = torch.nn.Linear(WIDTH, WIDTH), torch.nn.Linear(WIDTH, WIDTH)
    low_rank = torch.randn(WIDTH, 2) @ torch.randn(2, WIDTH)
    with torch.no_grad():
        goal.weight.copy_(layer.weight * (1 + 0.3 * torch.randn(WIDTH, 1)) + 0.03 * low_rank)
        goal.bias.copy_(layer.bias)
    inputs = torch.randn(512, WIDTH)
    wanted = goal(inputs).detach()
    model = get_peft_model(torch.nn.Sequential(layer), LoraConfig(r=4, lora_alpha=4, target_modules=["0"], use_dora=dora))
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    for _ in range(500):
        optimiser.zero_grad()
        (model(inputs) - wanted).square().mean().backward()
        optimiser.step()

    with torch.no_grad():
        with model.disable_adapter():
            base = model(inputs)
        whole = (model(inputs) - base).square().mean().sqrt()

        def left() -> float:
            return ((model(inputs) - base).square().mean().sqrt() / whole).item()

        found = {}
        for share in SHARES:
            with rescale_adapter_scale(model, share):
                found[share] = left()
        for module in model.modules():
            if isinstance(module, LoraLayer):
                module.scale_layer(0)
        return found, left()


holds = True
for title, dora in (("LoRA", False), ("DoRA", True)):
    found, scaled = learn(dora)
    told = ", ".join(f"{share:g} -> {value:.3f}" for share, value in found.items())
    print(f"{title}: of the whole change, by the share that is asked for: {told}; by scale_layer(0): {scaled:.3f}")
    holds &= (found[0.0] > 0.5 and scaled > 0.5) if dora else (found[0.0] == scaled == 0 and abs(found[0.5] - 0.5) < 1e-3)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
