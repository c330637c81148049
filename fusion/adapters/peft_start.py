"""What LoRA's inits take out of the frozen weights: PiSSA, OLoRA, LoftQ."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fusion.adapters.peft_layout import Layout, build_config, inject_peft, refusing
from fusion.contract.sites import unwrap

CLOSE = 1e-4  # of the weight's largest entry: what rounding leaves of a change of low rank
UNKNOWN = {
    "corda": "it takes out of the weights what training data has told, which no file of PEFT's has",
    "niter": "it takes out of the weights what has been drawn at random, so that PEFT itself "
    "computes something else at each loading",
}


@dataclass(frozen=True)
class Start:
    """What PEFT takes out of the weight of a module before training.

    Attributes:
        down: A at the start, [rank, in]; None where the change is not of low rank.
        up: B at the start, [out, rank]; None where the change is not of low rank.
        change: What is added to the weight, in its shape.
    """

    down: Tensor | None
    up: Tensor | None
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
                f"{reason}. Save the adapter again by PEFT's save_pretrained with "
                "path_initial_model_for_weight_conversion."
            )
    starts = {}
    for name, layer in layout.layers.items():
        host = unwrap(model.get_submodule(name))
        with refusing(path):
            start = _start_at(host, values, layer, init)
        if start is not None:
            starts[name] = start
    return starts


@torch.no_grad()
def _start_at(host: nn.Module, values: Mapping[str, Any], layer: Any, init: str) -> Start | None:
    from fusion.adapters.peft_layout import KEY

    before: Any = host._parameters["weight"]
    probe = nn.Module()
    probe.site = _copy_bare(host)
    options: dict[str, Any] = dict(r=layer.r[KEY], lora_alpha=layer.lora_alpha[KEY])
    names = ("use_rslora", "loftq_config", "eva_config")
    options |= {name: values[name] for name in names if name in values}
    config = build_config(
        dict(peft_type="LORA", target_modules=["site"], init_lora_weights=init, **options)
    )
    with torch.random.fork_rng(devices=[]):
        inject_peft(probe, config, KEY)
    change = probe.site.base_layer.weight.float() - before.float()
    if not change.any():
        return None
    down, up = probe.site.lora_A[KEY].weight.float(), probe.site.lora_B[KEY].weight.float()
    taken = layer.scaling[KEY] * up @ down
    if bool((change + taken).abs().max() <= CLOSE * before.abs().max()):
        return Start(down, up, change)
    return Start(None, None, change)


def _copy_bare(host: nn.Module) -> Any:
    """Copy a module with a weight of its own, without hooks and what lies inside."""
    bare = copy.copy(host)
    bare.__dict__ = dict(host.__dict__)
    for held in ("_forward_hooks", "_forward_pre_hooks", "_modules"):
        bare.__dict__[held] = type(host.__dict__[held])()
    weight: Any = host._parameters["weight"]
    own = nn.Parameter(weight.detach().clone(), requires_grad=False)
    bare.__dict__["_parameters"] = {**host._parameters, "weight": own}
    return bare
