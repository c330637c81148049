"""What LoRA's inits take out of the frozen weights, as PiSSA and OLoRA do."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fusion.adapters.peft_layout import KEY, Layout, build_config, inject_peft, refusing
from fusion.contract.sites import unwrap

CLOSE = 1e-4  # of the weight's largest entry: what rounding leaves of a change of low rank
UNKNOWN = {
    "corda": "it takes out of the weights what training data has told, which no file of PEFT's has",
    "niter": "it takes out of the weights what has been drawn at random, so that PEFT itself "
    "computes something else at each loading",
    "loftq": "it puts quantised weights in the place of the frozen ones",
}
REMEDY = (
    "Merge the adapter with PEFT's merge_and_unload; or, of PiSSA and CorDA, save it again by "
    "PEFT's save_pretrained with path_initial_model_for_weight_conversion."
)


@dataclass(frozen=True)
class Start:
    """What PEFT takes out of the weight of a module before training.

    Attributes:
        down: A at the start, [rank, in].
        up: B at the start, [out, rank].
        change: What is added to the weight, in its shape: B A, scaled, with a minus in front.
    """

    down: Tensor
    up: Tensor
    change: Tensor


def find_starts(
    model: nn.Module, path: Path, values: Mapping[str, Any], layout: Layout
) -> dict[str, Start]:
    """Let PEFT take out of the weights what it would take at loading, on copies of them.

    Args:
        model: It stays as it is.
        path: The config's file, for messages.
        values: The config's keys.
        layout: Where the adapter lies.

    Returns:
        What is taken out, by the name of the module; modules whose weight stays are not in it.

    Raises:
        ValueError: Nobody can know what was taken out.
    """
    init = values.get("init_lora_weights")
    if not isinstance(init, str):
        return {}
    for mark, reason in UNKNOWN.items():
        if mark in init.lower():
            raise ValueError(
                f"{path}: the key 'init_lora_weights' is {init!r}, which cannot be honoured: "
                f"{reason}. {REMEDY}"
            )
    starts = {}
    for name, layer in layout.layers.items():
        host = unwrap(model.get_submodule(name))
        with refusing(path, f"the key 'init_lora_weights' is {init!r}, and "):
            start = _start_at(host, values, layer, init)
        if start is not None:
            starts[name] = start
    return starts


@torch.no_grad()
def _start_at(host: nn.Module, values: Mapping[str, Any], layer: Any, init: str) -> Start | None:
    before: Any = host._parameters["weight"]
    probe = nn.Module()
    probe.site = _copy_bare(host)
    options: dict[str, Any] = dict(r=layer.r[KEY], lora_alpha=layer.lora_alpha[KEY])
    options |= dict(use_rslora=values.get("use_rslora", False), init_lora_weights=init)
    config = build_config(dict(peft_type="LORA", target_modules=["site"], **options))
    with torch.random.fork_rng(devices=[]):
        inject_peft(probe, config, KEY)
    change = probe.site.base_layer.weight.float() - before.float()
    if not change.any():
        return None
    down, up = (getattr(probe.site, one)[KEY].weight.float() for one in ("lora_A", "lora_B"))
    taken = layer.scaling[KEY] * up @ down
    if bool((change + taken).abs().max() > CLOSE * before.abs().max()):
        raise ValueError(f"it changes the frozen weights by more than B A of rank {layer.r[KEY]}")
    return Start(down, up, change)


def _copy_bare(host: nn.Module) -> Any:
    """Copy a module with a weight of its own, without hooks and what lies inside."""
    bare = copy.copy(host)
    bare.__dict__ = dict(host.__dict__)
    for held in ("_forward_hooks", "_forward_pre_hooks", "_modules"):
        bare.__dict__[held] = type(host.__dict__[held])()
    weight: Any = host._parameters["weight"]
    # In float32: what PEFT rounds off a weight in half precision is not of low rank.
    own = nn.Parameter(weight.detach().to(torch.float32, copy=True), requires_grad=False)
    bare.__dict__["_parameters"] = {**host._parameters, "weight": own}
    return bare
