"""Routers of a bank by themselves on disk: what is small, and trained while experts stay."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from fusion.adapters.files import set_tensors, tensors_of
from fusion.routing.bank import Bank
from modalities.tensor_file import read_tensors
from modalities.whole_file import replace_when_whole

CARD, WEIGHTS = "router.json", "router.safetensors"


def save_router(bank: Bank, folder: str | Path) -> None:
    """Write the routers of a bank, and which experts they weigh.

    Raises:
        OSError: The folder cannot be written.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: t.detach().cpu().contiguous() for name, t in _parted(bank)[0].items()}
    with replace_when_whole(folder / CARD) as partial:
        partial.write_text(json.dumps(_card(bank), indent=2) + "\n", encoding="utf-8")
    # The weights come last: a folder without them was not finished.
    with replace_when_whole(folder / WEIGHTS) as partial:
        save_file(tensors, partial, metadata={"format": "pt"})


def load_router(bank: Bank, folder: str | Path) -> None:
    """Give a bank routers that `save_router` wrote.

    Raises:
        FileNotFoundError: The folder or a file is not there.
        ValueError: It is damaged, or weighs the experts of another bank.
    """
    folder = Path(folder)
    path = folder / CARD
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no {CARD}; expected what save_router wrote.")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}); save the router again.") from error
    _check_card(bank, folder, card)
    tensors = read_tensors(folder / WEIGHTS, "expected a router", "save the router again")
    own, experts = _parted(bank)
    if set(own) != set(tensors):
        odd = min(set(own) ^ set(tensors))
        raise ValueError(f"{folder} does not fit bank {bank.name!r}: one has {odd}, one has not.")
    set_tensors(bank.model, bank.part, experts | tensors)


def _parted(bank: Bank) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the tensors of the routers, and those of the experts, by name."""
    tensors = tensors_of(bank.model, bank.part)
    routers = {name: t for name, t in tensors.items() if {"router", "routers"} & {*name.split(".")}}
    return routers, {name: t for name, t in tensors.items() if name not in routers}


def _card(bank: Bank) -> dict[str, Any]:
    options = bank.options
    kept = "router", "router_options", "granularity", "rule", "rule_options"
    return {
        "experts": list(options.expert_names),
        "experts_digest": _digest(_parted(bank)[1]),
        "sites": list(bank.part.sites),
        **{name: getattr(options, name) for name in kept},
    }


def _check_card(bank: Bank, folder: Path, card: Any) -> None:
    own = json.loads(json.dumps(_card(bank)))
    if not isinstance(card, Mapping) or set(card) != set(own):
        raise ValueError(f"{folder / CARD} has other keys than {', '.join(own)}; save it again.")
    for key, value in own.items():
        if card[key] != value:
            raise ValueError(
                f"The router in {folder} is for another bank: its {key} is {_short(card[key])}, "
                f"and that of bank {bank.name!r} {_short(value)}."
            )


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value[:8])) + (f" and {len(value) - 8} more" * (len(value) > 8))
    return str(value)[:80]


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """Return a number for what the experts are, the same on every device."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode())
        found.update(tensors[name].detach().cpu().float().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]
