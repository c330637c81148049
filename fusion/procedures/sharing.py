"""Several adapters that have some of their parameters in common."""

from collections.abc import Sequence
from typing import Any

from fusion.adapters.injection import layers_of
from fusion.adapters.interface import Adapters
from fusion.contract.holder import Holder


def tie(adapters: Adapters, names: Sequence[str], part: str) -> None:
    """Let adapters of one method share a module of theirs, as tasks share "up" or "down".

    Each is still switched, saved and counted by itself; what is shared is in every file, and is
    no longer shared once that has been loaded: tie again.

    Args:
        adapters: All adapters of the model.
        names: Two of them or more, of one method, options and sites; the others get what the first
            has.
        part: Name of the module inside each adapter, such as "up".

    Raises:
        ValueError: No such adapter, they are not of one method at the same sites, or have no such
            module.

    Source:
        Half-shared adapters, VL-Adapter (2021, arXiv 2112.06825).
    """
    parts = [one for name in names for one in adapters.parts(name)]
    kinds = {(one.method, one.options, one.sites) for one in parts}
    if len(names) < 2 or len(parts) != len(names) or len(kinds) != 1:
        found = ", ".join(f"{name}: {[p.method for p in adapters.parts(name)]}" for name in names)
        raise ValueError(
            f"Adapters to tie are {found}; expected two or more, each of one method, with the same "
            "options and sites."
        )
    held = [_held(adapters, one, part) for one in parts]
    for first, *others in zip(*held, strict=True):
        for other in others:
            setattr(other, part, getattr(first, part))


def count_together(adapters: Adapters, names: Sequence[str]) -> int:
    """Trained parameters of several adapters, shared ones once.

    Raises:
        ValueError: No such adapter.
    """
    unique = {id(p): p.numel() for name in names for p in adapters.parameters(name)}
    return sum(unique.values())


def _held(adapters: Adapters, one: Any, part: str) -> list[Any]:
    found = []
    for layer in layers_of(adapters.model, one):
        adapter = layer.mcgurk_adapters[one.key] if isinstance(layer, Holder) else None
        if adapter is None or part not in adapter._modules:
            known = ", ".join(adapter._modules) if adapter is not None else "none"
            raise ValueError(
                f"Method {one.method!r} has no module {part!r} to tie; it has: {known}."
            )
        found.append(adapter)
    return found
