"""One adapter per row of a batch, for the layers that PEFT makes."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fusion.contract.selection import Selection


def let_rows_differ(layer: nn.Module, selection: Selection) -> None:
    """Make a layer of PEFT look at `selection.rows`; PEFT itself ignores rows for most methods.

    Args:
        layer: The layer; without rows it runs as before.
        selection: The model's, which says what is on in each row.
    """
    if "forward" not in layer.__dict__:
        layer.forward = partial(_forward, layer, selection)


def _forward(layer: Any, selection: Selection, inputs: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    plain = type(layer).forward
    if selection.rows is None:
        return plain(layer, inputs, *args, **kwargs)
    stacked = _stack(layer, selection, inputs)
    if stacked is not None:
        return _forward_stacked(layer.base_layer(inputs, *args, **kwargs), inputs, *stacked)
    outputs = None
    for keys, rows in selection.groups(len(inputs), inputs.device):
        layer._active_adapter = list(keys)
        try:
            with selection.alike(keys, len(inputs), rows):
                found = plain(layer, inputs[rows], *args, **kwargs)
        finally:
            layer._active_adapter = selection.active
        if outputs is None:
            outputs = found.new_empty((len(inputs), *found.shape[1:]))
        outputs = outputs.index_copy(0, rows, found)
    assert outputs is not None
    return outputs


def _forward_stacked(outputs: Tensor, inputs: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """Add each row's own B A x: down [batch, in, rank], up [batch, rank, out]."""
    rows = inputs.reshape(len(inputs), -1, inputs.shape[-1]).to(down.dtype)
    return (outputs + (rows @ down @ up).reshape(outputs.shape)).to(outputs.dtype)


def _stack(layer: Any, selection: Selection, inputs: Tensor) -> tuple[Tensor, Tensor] | None:
    """Stack LoRA's matrices by row, once for all calls with these rows.

    Returns:
        [batch, in, rank] and [batch, rank, out], scaled; or None where another method, DoRA,
        dropout, a bias, several parts in a row or different ranks stand in the way.
    """
    batch = len(inputs)
    key = (id(layer), batch)
    if torch.is_grad_enabled() or key not in selection.stacks:
        selection.stacks[key] = _stack_now(layer, selection, batch)
    return selection.stacks[key]


def _stack_now(layer: Any, selection: Selection, batch: int) -> tuple[Tensor, Tensor] | None:
    downs, ups = getattr(layer, "lora_A", {}), getattr(layer, "lora_B", {})
    keys = [[key for key in row if key in downs] for row in selection.parts_of_rows(batch)]
    used = {key for row in keys for key in row}
    if not used or max(map(len, keys)) > 1 or not _can_stack(layer, used):
        return None
    some = next(iter(used))
    no_down, no_up = torch.zeros_like(downs[some].weight), torch.zeros_like(ups[some].weight)
    down = [downs[row[0]].weight if row else no_down for row in keys]
    up = [ups[row[0]].weight * layer.scaling[row[0]] if row else no_up for row in keys]
    return torch.stack(down).transpose(1, 2), torch.stack(up).transpose(1, 2)


def matrices_of(layer: Any, key: str) -> tuple[Tensor, Tensor] | None:
    """Return A, [rank, in], and the scaled B, [out, rank], of a part of LoRA in a layer of PEFT.

    Returns:
        None where it is no LoRA, or more than these: DoRA, dropout, a bias.
    """
    if key not in getattr(layer, "lora_A", {}) or not _can_stack(layer, {key}):
        return None
    return layer.lora_A[key].weight, layer.lora_B[key].weight * layer.scaling[key]


def _can_stack(layer: Any, keys: set[str]) -> bool:
    """Tell whether parts are matrices of one rank, without dropout, magnitudes or a bias of B."""
    if not all(isinstance(layer.lora_A[key], nn.Linear) for key in keys):
        return False
    ranks = {layer.lora_A[key].weight.shape[0] for key in keys}
    plain = all(
        isinstance(layer.lora_dropout[key], nn.Identity)
        and not layer.lora_variant.get(key)
        and layer.lora_B[key].bias is None
        for key in keys
    )
    return len(ranks) == 1 and plain
