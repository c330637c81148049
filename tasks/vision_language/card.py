"""What is known about a trained model of questions and captions, read without torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.cards import find_in, read_card_file

CARD = "answerer.json"
# What is shown to a model in the place of pictures, by `VisionLanguageConfig.images`.
FRAMES = "frames"  # features of videos, which are read from files
SOUND = "sound:"  # before the name of an encoder of sounds
SHIPPED_FOLDER = Path(__file__).parent / "weights"


def find_folder(name: str | Path) -> Path:
    """Return the folder of an answerer by a name that comes with mcgurk, or by its path."""
    return find_in(SHIPPED_FOLDER, name, CARD)


@dataclass(frozen=True)
class AnswererCard:
    """What is known about an answerer.

    Attributes:
        model: The frozen language model, by the name it was loaded with.
        images: What sees the pictures, by the name it was loaded with.
        seen: Identity of that, so that another one is refused.
        method: How it was trained, a name of `TUNINGS`.
        sharing: How its tasks share adapters.
        options: What was set of the method.
        tasks: What it was trained to do.
        writing: How captions are written, as `WritingOptions` has it.
        data: What it was trained on, in words.
        questions: Which rows trained and tested it, as `QuestionDataOptions` has them.
        licence: What the weights are licensed under; "" where nobody said.
        command: The command that trained it.
        trained: Parameters that were trained.
        parameters: Parameters of all, those added among them, as the published percentages count.
        scores: On the validation and test rows.
        left_out: Rows that could not be used.
        fresh_embedding: Whether it was trained with a new embedding in place of the model's own.
    """

    model: str
    images: str
    seen: str
    method: str
    sharing: str
    options: dict[str, Any]
    tasks: tuple[str, ...]
    writing: dict[str, Any]
    data: str
    questions: dict[str, Any]
    licence: str
    command: str
    trained: int
    parameters: int
    scores: dict[str, float] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    fresh_embedding: bool = False


def read_card(folder: str | Path) -> AnswererCard:
    """Read what is known about an answerer.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged.
    """
    again = "train the answerer again"
    return read_card_file(folder, CARD, AnswererCard, again, ("tasks", "left_out"))
