#!/usr/bin/env bash
# Versions: peft 0.21.2, transformers 5.23.0, torch 2.13.0 (CPU), numpy 2.4.6, Python 3.11, Linux x86-64; seen in November 2026.
#
# Seen: add_weighted_adapter of one trained DoRA adapter, with weight 1, should give that adapter again. The new one has its
#   directions and not its magnitudes: these stay where a fresh adapter starts, at the norms of the base model. A layer
#   that had learnt its task almost exactly is back at a quarter of the error of the untrained one, and behind a plain
#   LoRA of the same rank. "linear", "svd" and "cat" alike, without a warning; plain LoRA comes back as it was.
#
# Expected: the adapter that was put in; or an error, as for other things that cannot be combined. use_dora stays on in the
#   new adapter's configuration, and it has magnitudes of its own, which are saved with it.
#
# Who is hurt: whoever averages DoRA adapters, of several noises, speakers, styles or seeds: half of what DoRA trains is thrown
#   away, and the result looks like merging that does not work.
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

WIDTH = 64
KINDS = ("linear", "svd", "cat")


def learn(dora: bool) -> dict[str, float]:
    """Teach an adapter other row norms and a change of rank 2, combine it with no other, and return all errors."""
    torch.manual_seed(0)
    layer, goal = torch.nn.Linear(WIDTH, WIDTH), torch.nn.Linear(WIDTH, WIDTH)
    low_rank = torch.randn(WIDTH, 2) @ torch.randn(2, WIDTH)
    with torch.no_grad():
        goal.weight.copy_(layer.weight * (1 + 0.3 * torch.randn(WIDTH, 1)) + 0.03 * low_rank)
        goal.bias.copy_(layer.bias)
    inputs = torch.randn(512, WIDTH)
    wanted = goal(inputs).detach()
    config = LoraConfig(r=4, lora_alpha=4, target_modules=["0"], use_dora=dora)
    model = get_peft_model(torch.nn.Sequential(layer), config, adapter_name="rain")
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    for _ in range(500):
        optimiser.zero_grad()
        (model(inputs) - wanted).square().mean().backward()
        optimiser.step()

    def error() -> float:
        with torch.no_grad():
            return (model(inputs) - wanted).square().mean().item()

    errors = {"trained": error()}
    with model.disable_adapter():
        errors["untrained"] = error()
    for kind in KINDS:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.add_weighted_adapter(["rain"], [1.0], kind, combination_type=kind)
        assert not caught, caught
        model.set_adapter(kind)
        errors[kind] = error()
    return errors


plain, dora = learn(dora=False), learn(dora=True)
for title, errors in (("LoRA", plain), ("DoRA", dora)):
    print(f"{title}: " + ", ".join(f"{name} {value:.2g}" for name, value in errors.items()))
holds = all(
    abs(plain[kind] - plain["trained"]) < 1e-5
    and dora["trained"] < 1e-3
    and dora[kind] > plain["trained"]
    and dora[kind] > 0.15 * dora["untrained"]
    for kind in KINDS
)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
