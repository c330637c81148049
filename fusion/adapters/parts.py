"""The parts of an adapter on a model: where they are, what they hold, what they change."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from fusion.adapters.injection import eject, layers_of
from fusion.adapters.merging import measure_change, widened
from fusion.adapters.quantisation import plain_name
from fusion.contract.method import Delta
from fusion.contract.selection import Part, selection_of
from fusion.contract.sites import Site, find_sites, unwrap
from fusion.methods.catalog import METHODS, find_method


def sites_of_part(model: nn.Module, part: Part) -> list[Site]:
    """Return where a part is, in the order of the model."""
    method, blocks = find_method(part.method), selection_of(model).blocks
    found = find_sites(model, part.where, method.acts_on, part.layers, blocks)
    wanted = set(part.sites)
    return [site for site in found if site.name in wanted]


def count_part(model: nn.Module, part: Part) -> int:
    """Count the trained parameters of a part by the closed forms of its method."""
    method, sites = find_method(part.method), sites_of_part(model, part)
    own = sum(method.count(site, part.options) for site in sites)
    return own + method.count_shared(sites, part.options)


def held_of(model: nn.Module, part: Part) -> dict[str, Any]:
    """Return the modules, or in PEFT's layers also parameters, of a part by site and kind."""
    return {
        f"{site}.{kind}": getattr(layer, kind)[part.key]
        for site, layer in zip(part.sites, layers_of(model, part), strict=True)
        for kind in layer.adapter_layer_names
        if part.key in getattr(layer, kind)
    }


def parameters_of(model: nn.Module, part: Part) -> dict[str, nn.Parameter]:
    """Return the parameters of a part, frozen ones too, by site and name at the site."""
    found: dict[str, nn.Parameter] = {}
    for path, held in held_of(model, part).items():
        if isinstance(held, nn.Parameter):
            found[path] = held
        else:
            named = held.named_parameters()
            found |= {f"{path}.{plain_name(name)}": parameter for name, parameter in named}
    return found


def changes_of(model: nn.Module, part: Part) -> list[tuple[nn.Module, Delta]]:
    """Return the modules that merging a part changes, each with what is added to it.

    Raises:
        ValueError: Its method does not merge, or not with its options, or a module shares its
            weight with another, which merging would change too.
    """
    method = find_method(part.method)
    if not method.merges:
        raise ValueError(
            f"Method {part.method!r} cannot be merged into the weights; use it unmerged. "
            f"Methods that can: {', '.join(sorted(n for n, m in METHODS.items() if m.merges))}."
        )
    changes = []
    for name, layer in zip(part.sites, layers_of(model, part), strict=True):
        host = unwrap(model.get_submodule(name))
        with torch.no_grad():
            delta = method.change_at(layer, part.key, widened(host))
        if delta is None:
            raise ValueError(f"Adapter at {name} cannot be merged with these options.")
        if delta.weight is not None:
            _check_untied(model, name, host)
        changes.append((host, delta))
    return changes


def changes_of_all(model: nn.Module, parts: Sequence[Part]) -> list[tuple[nn.Module, Delta]]:
    """Return what merging several parts that are on changes, see `changes_of`.

    Where one scales what others add, the module has one change, that of all together.
    """
    changes = [
        (name, host, delta)
        for part in parts
        for name, (host, delta) in zip(part.sites, changes_of(model, part), strict=True)
    ]
    counts = Counter(name for name, _, _ in changes)
    scaled = {
        name
        for part in parts
        if find_method(part.method).scales_others(part.options)
        for name in part.sites
        if counts[name] > 1
    }
    found = [(host, delta) for name, host, delta in changes if name not in scaled]
    for name in sorted(scaled):
        layer = model.get_submodule(name)
        found.append((unwrap(layer), measure_change(name, layer, unwrap(layer))))
    return found


def _check_untied(model: nn.Module, name: str, host: nn.Module) -> None:
    weight: Any = host._parameters["weight"]
    for path, module in model.named_modules():
        other = module._parameters.get("weight")
        if module is not host and other is not None and _overlap(other, weight):
            raise ValueError(
                f"The weight of {name} is that of {path} too, as a model ties its embeddings; "
                "merging would change both. Use the adapter unmerged."
            )


def _overlap(one: Tensor, other: Tensor) -> bool:
    """Tell whether a change of one tensor in place changes another: one object, or one memory."""
    if one is other or one.is_meta or other.is_meta or one.device != other.device:
        return one is other
    (first, last), (start, stop) = _memory_of(one), _memory_of(other)
    return first < stop and start < last


def _memory_of(tensor: Tensor) -> tuple[int, int]:
    """Return where a tensor begins and ends in memory, in bytes; files are read into one piece."""
    sizes = zip(tensor.shape, tensor.stride(), strict=True)
    entries = 1 + sum((size - 1) * stride for size, stride in sizes) if tensor.numel() else 0
    return tensor.data_ptr(), tensor.data_ptr() + entries * tensor.element_size()


def follow_mode(model: nn.Module, part: Part) -> None:
    """Put a part in training or evaluation mode, as its modules are; new modules train."""
    for name, layer in zip(part.sites, layers_of(model, part), strict=True):
        layer.train(unwrap(model.get_submodule(name)).training)


def drop_part(model: nn.Module, name: str, part: Part) -> None:
    """Take a part of an adapter out of a model; an adapter without parts is gone."""
    selection = selection_of(model)
    if part.key in selection.active:
        selection.active.remove(part.key)
    eject(model, part)
    parts = selection.adapters[name]
    parts.remove(part)
    if not parts:
        del selection.adapters[name]


def frozen_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights and buffers that are no adapter's, under the names without adapters."""
    layers = _layers_in(model)
    own = {name: t for name, t in model.state_dict().items() if _is_own(name, layers)}
    return {".".join(p for p in name.split(".") if p != "base_layer"): t for name, t in own.items()}


def count_frozen(model: nn.Module) -> int:
    """Count the parameters that are no adapter's; one that several modules share counts once."""
    layers = _layers_in(model)
    return sum(p.numel() for name, p in model.named_parameters() if _is_own(name, layers))


def _layers_in(model: nn.Module) -> list[str]:
    """Return the names of PEFT's layers, ours and its own."""
    return [name for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)]


def _is_own(name: str, layers: list[str]) -> bool:
    """Tell whether a tensor is the model's own: in a layer, what that has inside is."""
    inside = [layer for layer in layers if name.startswith(f"{layer}.")]
    return all(name.startswith(f"{layer}.base_layer.") for layer in inside)
