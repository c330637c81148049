"""Put the parts of an adapter on a model."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from fusion.adapters.injection import Calibrate, inject
from fusion.adapters.parts import drop_part, follow_mode, held_of
from fusion.adapters.quantisation import check_bits, quantise_all
from fusion.contract.blocks import Block
from fusion.contract.options import build_options
from fusion.contract.selection import Part, selection_of
from fusion.methods.catalog import METHODS, find_method


def attach_part(
    model: nn.Module,
    method: str,
    options: Any = None,
    where: Sequence[str] | None = None,
    *,
    name: str = "default",
    layers: Sequence[int] | None = None,
    blocks: Mapping[str, tuple[Block, ...]] | None = None,
    calibrate: Calibrate | None = None,
    bits: int | None = None,
) -> Part:
    """Put one part of an adapter on a model, and switch the adapter on.

    The arguments and errors are those of `fusion.adapters.attach`. What fails leaves the model as
    it was.
    """
    selection = selection_of(model, blocks)
    if selection.merged:
        raise ValueError("Adapters are merged; unmerge before another one is attached.")
    kind = find_method(method)
    if bits is not None:
        check_bits(bits)
        _check_quantised(method)
    _check_name(model, name)
    built = build_options(method, kind.Options, options)
    roles = tuple(where) if where else kind.where_of(built)
    others = selection.adapters.get(name, [])
    key = name if not others else f"{name}+{len(others)}"
    numbers = None if layers is None else tuple(layers)
    sites = inject(model, key, method, built, roles, numbers, calibrate)
    part = Part(key, method, built, roles, numbers, tuple(site.name for site in sites), bits)
    parts = selection.adapters.setdefault(name, [])
    parts.append(part)
    selection.active[:] = [one.key for one in parts]
    follow_mode(model, part)
    try:
        _check_new(name, part, parts)
        if calibrate is not None:
            kind.start(model, part, calibrate)
        if bits is not None:
            quantise_all(method, held_of(model, part).values(), bits)
    except BaseException:
        drop_part(model, name, part)
        raise
    return part


def _check_quantised(method: str) -> None:
    reason = find_method(method).float_only
    if reason:
        known = ", ".join(sorted(name for name, kind in METHODS.items() if not kind.float_only))
        raise ValueError(
            f"Method {method!r} cannot be quantised: {reason}. Methods that can: {known}."
        )


def _check_name(model: nn.Module, name: str) -> None:
    taken = {part for path, _ in model.named_modules() for part in path.split(".")}
    taken -= {
        key for parts in selection_of(model).adapters.values() for p in parts for key in [p.key]
    }
    taken |= set(dir(nn.ModuleDict()))  # torch keeps modules beside its own attributes
    if not name or "." in name or "+" in name or name in taken:
        raise ValueError(
            f"Adapter name {name!r} is empty, has a dot or a plus, or is the name of a module of "
            "the model or of something that torch's modules have; take another."
        )


def _check_new(name: str, part: Part, parts: Sequence[Part]) -> None:
    for other in parts:
        both = set(part.sites) & set(other.sites)
        if other is not part and other.method == part.method and both:
            raise ValueError(
                f"Adapter {name!r} has {part.method!r} at {min(both)} already; drop it first, or "
                "take another name."
            )
