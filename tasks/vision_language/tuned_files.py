"""Tuned models on disk: a card, and what was trained, each tensor once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modalities.tensor_file import read_tensors, write_tensors
from modalities.vision_language.vl_model import VisionLanguage
from tasks.cards import card_comes_last, read_card_file
from tasks.vision_language.tuned import Tuned, tune

CARD, WEIGHTS = "tuned.json", "tuned.safetensors"
DAMAGED = "train the model again, or copy it again"


@dataclass(frozen=True)
class TunedCard:
    """What is known about a tuned model.

    Attributes:
        model: The frozen model, by the name it was loaded with.
        identity: A hash of its weights and words, see `VisionLanguage.identity`.
        method: A name of `TUNINGS`.
        sharing: A name of `SHARINGS`.
        tasks: Names of the tasks, in the order of their adapters.
        options: What was set of the method.
        trained: Parameters that were trained.
        parameters: All parameters, those that were added among them.
    """

    model: str
    identity: str
    method: str
    sharing: str
    tasks: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    trained: int = 0
    parameters: int = 0


def card_of(tuned: Tuned) -> TunedCard:
    """Return what is known about a tuned model."""
    return TunedCard(
        tuned.vl.name,
        tuned.identity,
        tuned.method,
        tuned.sharing,
        tuned.tasks,
        tuned.options,
        *tuned.count(),
    )


def save_tuned(tuned: Tuned, folder: str | Path, *, half: bool = False) -> None:
    """Write what was trained of a model; the card comes last.

    Args:
        tuned: The model.
        folder: Made where it is not there.
        half: Whether weights are kept in float16, half as large and a little less exact.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    tensors: dict[str, Tensor] = {n: p.detach().cpu() for n, p in tuned.named_trained().items()}
    with card_comes_last(folder, CARD, card_of(tuned)):
        write_tensors(folder / WEIGHTS, tensors, {"format": "pt"}, half=half)


def read_tuned_card(folder: str | Path) -> TunedCard:
    """Read what is known about a tuned model.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged.
    """
    return read_card_file(folder, CARD, TunedCard, DAMAGED, ("tasks",))


def load_tuned(vl: VisionLanguage, folder: str | Path) -> Tuned:
    """Read a tuned model, ready to answer.

    Args:
        vl: The frozen model that it was trained on, without adapters; it is changed.
        folder: That `save_tuned` wrote.

    Raises:
        FileNotFoundError: The folder is not there, or not whole.
        ValueError: It is damaged, or was trained on another model.
    """
    folder = Path(folder)
    card = read_tuned_card(folder)
    if card.identity != vl.identity:
        raise ValueError(
            f"{folder} was trained on {card.model}, and {vl.name} has other weights or words; "
            "expected the same model. Take that one, or train anew."
        )
    tensors = read_tensors(folder / WEIGHTS, "the folder is not whole. Copy it again", DAMAGED)
    tuned = tune(vl, card.method, card.tasks, card.sharing, card.options)
    _set(tuned, tensors, folder / WEIGHTS)
    return tuned


@torch.no_grad()
def _set(tuned: Tuned, tensors: dict[str, Tensor], path: Path) -> None:
    trained = tuned.named_trained()
    wrong = sorted(trained.keys() ^ tensors.keys())
    wrong += [n for n in trained.keys() & tensors.keys() if trained[n].shape != tensors[n].shape]
    if wrong:
        raise ValueError(
            f"{path} does not fit its card: {wrong[0]} is missing, too much or of another shape; "
            f"{DAMAGED}."
        )
    for name, value in tensors.items():
        trained[name].copy_(value)
