"""Adapter sets on disk: adapters and the fusion module trained with them, a folder each."""

import json
from dataclasses import asdict
from pathlib import Path

from torch import nn

from fusion.adapters.files import WEIGHTS
from fusion.adapters.interface import Adapters
from fusion.audio_visual.catalog import FUSIONS
from fusion.sets.card import CARD, SetCard, read_card
from modalities.network_file import load_network, save_network
from modalities.tensor_file import write_tensors
from modalities.whole_file import replace_when_whole

FUSION = "fusion.safetensors"


def save_set(
    folder: str | Path, adapters: Adapters, fusion: nn.Module | None, card: SetCard
) -> None:
    """Write a set, floats as float16.

    Args:
        folder: Folder to write; it is made where it is missing.
        adapters: Have an adapter of the set's name.
        fusion: None for a set that hears only.
        card: About it; its file comes last, so that a folder without it was not finished.

    Raises:
        ValueError: No such adapter.
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CARD).unlink(missing_ok=True)
    adapters.save(folder, card.name)
    for path in folder.rglob(WEIGHTS):
        halve(path)
    if fusion is not None:
        save_network(fusion, folder / FUSION)
    write_card(folder, card)


def write_card(folder: Path, card: SetCard) -> None:
    """Write what is known about a set.

    Raises:
        OSError: It cannot be written.
    """
    with replace_when_whole(folder / CARD) as partial:
        partial.write_text(json.dumps(asdict(card), indent=1) + "\n", encoding="utf-8")


def load_set(
    folder: str | Path, adapters: Adapters, name: str | None = None
) -> tuple[SetCard, nn.Module | None]:
    """Read a set: its adapters are attached, and on.

    Args:
        folder: A folder that `save_set` wrote.
        adapters: All adapters of the model that the set is for.
        name: Under which it is attached; None for its own.

    Returns:
        Its card, and the fusion module.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged, or belongs to another model.
    """
    folder = Path(folder)
    card = read_card(folder)
    if card.fusion and card.fusion not in FUSIONS:
        raise ValueError(
            f"{folder / CARD}: no fusion {card.fusion!r}; known: {', '.join(FUSIONS)}. "
            "Update mcgurk."
        )
    adapters.load(folder, name or card.name)
    if not card.fusion:
        return card, None
    return card, load_network(*FUSIONS[card.fusion], folder / FUSION)


def halve(path: Path) -> None:
    """Turn the floats of a .safetensors file into float16."""
    from safetensors import safe_open
    from safetensors.torch import load_file

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    write_tensors(path, load_file(path), metadata, half=True)
