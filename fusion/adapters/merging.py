"""Add adapters to the weights, and take them out again to the bit."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.contract.holder import HALF
from fusion.contract.method import Delta


@dataclass(frozen=True)
class Original:
    """What a merge has overwritten.

    Attributes:
        module: Whose parameters they are.
        weight: The whole weight, or the values at `index`; None where it was not touched.
        index: Flat positions, [entries], or None.
        bias: The bias; None where it was not touched.
        had_bias: False where the merge has given the module a bias.
    """

    module: nn.Module
    weight: Tensor | None
    index: Tensor | None
    bias: Tensor | None
    had_bias: bool = True


def widened(module: nn.Module) -> nn.Module:
    """Return a module in half precision as one in float32 to compute with, others as they are."""
    own = {name: p for name, p in module._parameters.items() if p is not None}
    if not any(parameter.dtype in HALF for parameter in own.values()):
        return module
    twin = copy.copy(module)
    wide = {name: nn.Parameter(p.float(), requires_grad=False) for name, p in own.items()}
    twin._parameters = {**module._parameters, **wide}
    return twin


@torch.no_grad()
def measure_change(name: str, layer: nn.Module, host: nn.Module) -> Delta:
    """Read off a layer what all that is on there makes of its weight and bias together.

    Args:
        name: Path of the layer in its model; messages have it.
        layer: The linear layer with all that is around it.
        host: The linear layer itself.

    Raises:
        ValueError: It is no linear layer.
    """
    if not isinstance(host, nn.Linear):
        raise ValueError(
            f"{name}, a {type(host).__name__}, has DoRA beside other adapters, which it scales; "
            "only at linear layers can they be merged together. Use them unmerged, or one alone."
        )
    training = [module for module in layer.modules() if module.training]
    layer.eval()  # dropout would be read off too
    try:
        probes = host.weight.new_zeros(1 + host.in_features, 1, host.in_features)
        probes[1:, 0].fill_diagonal_(1)
        bias, *columns = layer(probes)[:, 0]
    finally:
        for module in training:
            module.training = True
    weight = torch.stack(columns, 1) - bias[:, None] - host.weight
    moved = bias if host.bias is None else bias - host.bias
    return Delta(weight, moved if moved.any() else None)


@torch.no_grad()
def merge_into(module: nn.Module, delta: Delta) -> Original:
    """Add a change to the parameters of a module.

    Args:
        module: A linear layer or a normalisation.
        delta: What to add.

    Returns:
        What was overwritten, for `restore`.
    """
    weight, bias = _parameters(module)
    kept_weight, had_bias = None, bias is not None
    kept_bias = None
    if delta.weight is not None and delta.index is not None:
        flat = weight.view(-1) if weight.is_contiguous() else None
        if flat is None:  # a view of another layout: positions are row-major all the same
            kept_weight = weight.reshape(-1)[delta.index]
            rows, columns = delta.index // weight.shape[1], delta.index % weight.shape[1]
            weight.data[rows, columns] += delta.weight
        else:
            # Half the time of indexing with brackets.
            kept_weight = flat.gather(0, delta.index)
            flat.scatter_(0, delta.index, (kept_weight + delta.weight).to(flat.dtype))
    elif delta.weight is not None:
        kept_weight = weight.detach().clone()
        weight.add_(delta.weight)
    if delta.bias is not None:
        if bias is not None:
            kept_bias = bias.detach().clone()
            bias.add_(delta.bias)
        else:
            added = nn.Parameter(delta.bias.detach().to(weight.dtype, copy=True), False)
            module.register_parameter("bias", added)
    return Original(module, kept_weight, delta.index, kept_bias, had_bias)


@torch.no_grad()
def restore(original: Original) -> None:
    """Put back what a merge has overwritten."""
    module = original.module
    weight, bias = _parameters(module)
    if original.weight is not None and original.index is not None:
        if weight.is_contiguous():
            weight.view(-1).scatter_(0, original.index, original.weight)
        else:
            rows = original.index // weight.shape[1]
            weight.data[rows, original.index % weight.shape[1]] = original.weight
    elif original.weight is not None:
        weight.copy_(original.weight)
    if not original.had_bias:
        module.register_parameter("bias", None)
    elif original.bias is not None and bias is not None:
        bias.copy_(original.bias)


def _parameters(module: nn.Module) -> tuple[nn.Parameter, nn.Parameter | None]:
    """Return weight and bias."""
    weight, bias = module._parameters["weight"], module._parameters.get("bias")
    assert weight is not None
    return weight, bias
