#!/usr/bin/env bash
# Versions: peft 0.21.2, transformers 5.23.0, torch 2.13.0 (CPU), numpy 2.4.6, Python 3.11, Linux x86-64; seen in
#   November 2026.
#
# Seen: add_weighted_adapter of one adapter with weight 1 should give that adapter again. It does for plain LoRA. With
#   use_rslora=True, the change that the new one makes to the weights is sqrt(rank) too large: 4 times at rank 16; and with
#   "cat" of two adapters sqrt of the sum of their ranks, 5.7 times. "linear", "svd" and "cat" alike, without a warning.
#   The numbers are folded in with their scale once, and the new adapter scales them again.
#
# Expected: the sum that was asked for; use_rslora says how an adapter is scaled, not what the sum of two is.
#
# Who is hurt: whoever merges or averages rank-stabilised adapters, as for several noises, speakers or tasks: the merged
#   adapter looks like merging that does not work (interference), where it is only turned up too far.
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

RANK = 16


def strength(stabilised: bool, kind: str, names: list[str]) -> float:
    """How large the combined change is against the sum of the changes that were combined."""
    torch.manual_seed(0)
    config = LoraConfig(
        r=RANK, lora_alpha=RANK, target_modules=["0"], use_rslora=stabilised, init_lora_weights=False
    )
    model = get_peft_model(torch.nn.Sequential(torch.nn.Linear(64, 64)), config, adapter_name="rain")
    model.add_adapter("street", config)
    model.add_weighted_adapter(names, [1.0] * len(names), "both", combination_type=kind)
    layer = model.base_model.model[0]
    with torch.no_grad():
        wanted = sum(layer.get_delta_weight(name) for name in names)
        return (layer.get_delta_weight("both").norm() / wanted.norm()).item()


cases = {
    (kind, len(names)): [strength(stabilised, kind, names) for stabilised in (False, True)]
    for kind, names in [
        ("linear", ["rain"]),
        ("svd", ["rain"]),
        ("cat", ["rain"]),
        ("cat", ["rain", "street"]),
    ]
}
for (kind, number), (plain, stabilised) in cases.items():
    print(f"{kind} of {number}: plain LoRA {plain:.3f} times what was asked for, rsLoRA {stabilised:.3f} times")
holds = all(
    abs(plain - 1) < 1e-3 and abs(stabilised - (RANK * number) ** 0.5) < 1e-2
    for (_, number), (plain, stabilised) in cases.items()
)
print("The finding holds." if holds else "The finding no longer holds.")
sys.exit(0 if holds else 1)
PYTHON
