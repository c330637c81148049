"""What is known about a trained classifier, read without torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.cards import read_card_file

CARD = "classifier.json"


@dataclass(frozen=True)
class Counts:
    """Parameters that are trained, and those that are not.

    Attributes:
        method: Adapters, or all of the encoder where all is trained; without the last
            normalisation, which is in the head.
        norms: Normalisations trained beside the adapters.
        head: The last normalisation and the linear layer.
        encoder: All of the bare encoder, trained or not.
    """

    method: int
    norms: int
    head: int
    encoder: int


@dataclass(frozen=True)
class ClassifierCard:
    """What is known about a classifier.

    Attributes:
        encoder: The frozen model, by the name it was loaded with.
        classes: Names, in the order of the logits.
        method: Name of the adapters' method; "" for a head alone, "full" where all was trained.
        pooling: "mean" over all tokens that are real, or "special" over the encoder's own.
        window_s: Seconds of sound that are classified at once.
        temperature: What logits are divided by before the softmax, above 0; 1 leaves them alone.
        data: What it was trained on, in words.
        licence: What the weights are licensed under; "" where nobody said.
        command: The command that trained it.
        parameters: Trained and frozen.
        scores: On the test sounds, percent.
        left_out: Sounds that could not be used.
        sounds: Which sounds trained and tested it, as `SoundDataOptions` has them; empty in cards
            that do not say it.
    """

    encoder: str
    classes: tuple[str, ...]
    method: str
    pooling: str
    window_s: float
    temperature: float
    data: str
    licence: str
    command: str
    parameters: Counts
    scores: dict[str, float] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    sounds: dict[str, Any] = field(default_factory=dict)


def read_card(folder: str | Path) -> ClassifierCard:
    """Read what is known about a classifier.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged.
    """
    again = "train the classifier again"
    lists = ("classes", "left_out")
    return read_card_file(folder, CARD, ClassifierCard, again, lists, _read_counts)


def _read_counts(data: dict[str, Any]) -> dict[str, Any]:
    return {"parameters": Counts(**data.pop("parameters"))}
