"""Write a CorDA adapter as LoRA, for the unchanged weight and for PEFT."""

from typing import Any

import torch
from torch import nn

from fusion.adapters.interface import Adapters, attach
from fusion.contract.holder import ATTRIBUTE
from fusion.contract.sites import unwrap


@torch.no_grad()
def to_lora(model: nn.Module, name: str, new_name: str) -> Adapters:
    """Write a CorDA adapter as a LoRA adapter of twice the rank, for the unchanged weight.

    Args:
        model: With the adapter.
        name: What the CorDA adapter is called.
        new_name: What the LoRA adapter is called; it is switched on.

    Returns:
        All adapters of the model.

    Raises:
        ValueError: The adapter is not CorDA, or has no such name.
    """
    parts = Adapters(model).parts(name)
    if [part.method for part in parts] != ["corda"]:
        raise ValueError(f"Adapter {name!r} is no CorDA adapter; only those have a start to add.")
    options = parts[0].options
    lora = {"rank": 2 * options.rank, "alpha": 2 * options.alpha}
    adapters = attach(model, "lora", lora, parts[0].sites, name=new_name)
    matrices = adapters.named_parameters(new_name)
    for site in parts[0].sites:
        held: Any = unwrap(model.get_submodule(site)).get_submodule(f"{ATTRIBUTE}.mcgurk_adapters")
        corda = held[parts[0].key]
        matrices[f"{site}.lora_A.weight"].copy_(torch.cat([corda.down, corda.down_start]))
        matrices[f"{site}.lora_B.weight"].copy_(torch.cat([corda.up, -corda.up_start], 1))
    return adapters
