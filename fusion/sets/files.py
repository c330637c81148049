"""Adapter sets on disk: adapters and the fusion module trained with them, a folder each."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from fusion.adapters.files import WEIGHTS
from fusion.adapters.interface import Adapters
from fusion.audio_visual.joint import JointFusion, JointFusionOptions
from fusion.audio_visual.upstream import UpstreamFusion, UpstreamFusionOptions
from modalities.network_file import load_network, save_network

CARD, FUSION = "set.json", "fusion.safetensors"
FUSIONS: dict[str, tuple[type[nn.Module], type]] = {
    "joint": (JointFusion, JointFusionOptions),
    "upstream": (UpstreamFusion, UpstreamFusionOptions),
}


@dataclass(frozen=True)
class SetCard:
    """What is known about an adapter set.

    Attributes:
        name: Of the set.
        model: The frozen model that it was trained on, by the name it was loaded with.
        fusion: A name of `FUSIONS`, or "" for a set that hears only.
        scenario: What it is for: categories of noise, and the range of levels in dB.
        data: That it was trained on.
        licence: Of the weights.
        parameters: Trained, adapters and fusion.
        command: That trained it.
        seconds: That its steps and measurements took, loading apart; None where nobody measured
            them.
        scores: Measured while training.
    """

    name: str
    model: str
    fusion: str = ""
    scenario: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    licence: str = ""
    parameters: int = 0
    command: str = ""
    seconds: float | None = None
    scores: dict[str, float] = field(default_factory=dict)


def save_set(
    folder: str | Path, adapters: Adapters, fusion: nn.Module | None, card: SetCard
) -> None:
    """Write a set, floats as float16.

    Args:
        folder: Of the set.
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
    (folder / CARD).write_text(json.dumps(asdict(card), indent=1) + "\n", encoding="utf-8")


def load_set(
    folder: str | Path, adapters: Adapters, name: str | None = None
) -> tuple[SetCard, nn.Module | None]:
    """Read a set: its adapters are attached, and on.

    Args:
        folder: Of the set.
        adapters: Of the model.
        name: Under which it is attached; None for its own.

    Returns:
        Its card, and the fusion module.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged, or belongs to another model.
    """
    folder = Path(folder)
    card = read_card(folder)
    adapters.load(folder, name or card.name)
    if not card.fusion:
        return card, None
    return card, load_network(*FUSIONS[card.fusion], folder / FUSION)


def read_card(folder: str | Path) -> SetCard:
    """Read what is known about a set.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged.
    """
    path = Path(folder) / CARD
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no {CARD}; expected a folder of an adapter set.")
    try:
        card = SetCard(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}); train or fetch the set again.") from error
    if card.fusion and card.fusion not in FUSIONS:
        raise ValueError(
            f"{path}: no fusion {card.fusion!r}; known: {', '.join(FUSIONS)}. Update mcgurk."
        )
    return card


def halve(path: Path) -> None:
    """Turn the floats of a .safetensors file into float16."""
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = {n: t.half() if t.is_floating_point() else t for n, t in load_file(path).items()}
    partial = path.with_name(f".{path.name}.partial")
    save_file(tensors, partial, metadata)
    partial.replace(path)
