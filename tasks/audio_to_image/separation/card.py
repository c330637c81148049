"""What is known about a trained separator, read without torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.cards import find_in, read_card_file

CARD = "separator.json"
SHIPPED_FOLDER = Path(__file__).parents[1] / "weights/separation"


def find_folder(name: str | Path) -> Path:
    """Return the folder of a separator by a name that comes with mcgurk, or by its path."""
    return find_in(SHIPPED_FOLDER, name, CARD)


@dataclass(frozen=True)
class SeparatorCard:
    """What is known about a separator.

    Attributes:
        audio_text: The frozen model of sound and text by which sources are ranked, by the name it
            was loaded with; "" where there was none, and sources are ranked by their energy.
        identity: What tells that model from all others; "" without one.
        dim: Features of its embeddings, 0 without one.
        prompt: How a label is told to it, with "{label}" in it.
        labels: What was heard in training.
        significance: By what sources are ranked with the model of sound and text, "likeness",
            "loud_likeness" or "loudness".
        network: Sizes, as `SeparatorOptions` has them.
        loss: What it was taught by, as `LossOptions` has it.
        mixtures: What was mixed, as `MixtureOptions` has it.
        data: What it was trained on, in words.
        licence: What the weights are licensed under; "" where nobody said.
        command: The command that trained it.
        parameters: How many were trained.
        scores: On held-out mixtures.
        left_out: Sounds that could not be used.
    """

    audio_text: str = ""
    identity: str = ""
    dim: int = 0
    prompt: str = "The sound of {label}"
    labels: tuple[str, ...] = ()
    significance: str = "likeness"
    network: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)
    mixtures: dict[str, Any] = field(default_factory=dict)
    data: str = ""
    licence: str = ""
    command: str = ""
    parameters: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def read_card(folder: str | Path) -> SeparatorCard:
    """Read what is known about a separator.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged.
    """
    again = "train the separator again"
    return read_card_file(folder, CARD, SeparatorCard, again, ("labels", "left_out"))
