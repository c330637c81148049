"""What is known about a trained painter, read without torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.cards import find_in, list_in, read_card_file

CARD = "painter.json"
SHIPPED_FOLDER = Path(__file__).parents[1] / "weights/painting"


@dataclass(frozen=True)
class PainterCard:
    """What is known about a painter.

    Attributes:
        denoiser: The frozen one, by the name it was loaded with.
        weights: Its hash, as `Denoiser.identity` has it; "" where it is in the painter's folder.
        adapter: Sizes, as `AudioAdapterOptions` has them.
        separator: What takes sounds apart, by the name it was loaded with; "" where they are heard
            as a whole, or embeddings were handed in.
        audio_text: The model of sound and text, by the name it was loaded with; "" where it is the
            separator's own, or embeddings were handed in.
        ear: What tells both from all others, see `Ear`; "" where embeddings were handed in.
        heard: Folder in which what was heard is kept; "" where embeddings were handed in.
        pictures: What it was trained on, as `PictureDataOptions` has it.
        steps: How often the denoiser looks, unless another number is told.
        guidance: How far to go beyond what is painted without sounds, unless told.
        data: What it was trained on, in words.
        licence: What the weights are licensed under; "" where nobody said.
        command: The command that trained it.
        trained: Parameters that were trained.
        parameters: Parameters of the frozen denoiser.
        scores: On the validation, and the seconds of the training.
    """

    denoiser: str
    weights: str
    adapter: dict[str, Any]
    steps: int
    guidance: float
    data: str
    licence: str
    command: str
    trained: int
    parameters: int
    scores: dict[str, float] = field(default_factory=dict)
    separator: str = ""
    audio_text: str = ""
    ear: str = ""
    heard: str = ""
    pictures: dict[str, Any] = field(default_factory=dict)


def find_folder(name: str | Path) -> Path:
    """Return the folder of a painter by a name that comes with mcgurk, or by its path."""
    return find_in(SHIPPED_FOLDER, name, CARD)


def list_shipped() -> list[str]:
    """Return the names of the painters that come with mcgurk."""
    return list_in(SHIPPED_FOLDER, CARD)


def read_card(folder: str | Path) -> PainterCard:
    """Read the card of a painter.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged.
    """
    return read_card_file(folder, CARD, PainterCard, "train the painter again")
