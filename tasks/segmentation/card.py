"""What is known about a trained segmenter, read without torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.cards import find_in, list_in, read_card_file

CARD = "segmenter.json"
SHIPPED_FOLDER = Path(__file__).parent / "weights"


def find_folder(name: str | Path) -> Path:
    """Return the folder of a segmenter by a name that comes with mcgurk, or by its path."""
    return find_in(SHIPPED_FOLDER, name, CARD)


def list_shipped() -> list[str]:
    """Return the names of the segmenters that come with mcgurk."""
    return list_in(SHIPPED_FOLDER, CARD)


@dataclass(frozen=True)
class SegmenterCard:
    """What is known about a segmenter.

    Attributes:
        model: The frozen CLIPSeg, by the name it was loaded with; of a U-Net the one whose pictures
            it shares.
        method: How it was trained, a name as in `SegmentationConfig`.
        options: What was set of the method.
        train_decoder: Whether the decoder was trained as well.
        labels: Classes it was trained on, in the order of a U-Net's channels.
        prompts: Which prompts were given, as `PromptOptions` has them.
        loss: "dice_bce" or "paper".
        data: What it was trained on, in words.
        images: Which images trained and tested it, as `MaskDataOptions` has them.
        licence: What the weights are licensed under; "" where nobody said.
        command: The command that trained it.
        trained: Parameters that were trained.
        parameters: Parameters of the bare frozen model, or all of a U-Net.
        scores: On the validation and test images.
        left_out: Images that could not be used.
        weights: Hash of the frozen model, its words and its pictures, as `ClipSeg.identity` has it;
            "" where it is not known, and any model of that name is taken.
    """

    model: str
    method: str
    options: dict[str, Any]
    train_decoder: bool
    labels: tuple[str, ...]
    prompts: dict[str, Any]
    loss: str
    data: str
    images: dict[str, Any]
    licence: str
    command: str
    trained: int
    parameters: int
    scores: dict[str, float] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    weights: str = ""


def bare_card(model: str, parameters: int) -> SegmenterCard:
    """Return what is known about a model of which nothing was trained.

    Args:
        model: The frozen CLIPSeg, by the name it was loaded with.
        parameters: How many it has.
    """
    return SegmenterCard(
        model=model,
        method="",
        options={},
        train_decoder=False,
        labels=(),
        prompts={},
        loss="",
        data="",
        images={},
        licence="",
        command="",
        trained=0,
        parameters=parameters,
    )


def read_card(folder: str | Path) -> SegmenterCard:
    """Read what is known about a segmenter.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged.
    """
    again = "train the segmenter again"
    return read_card_file(folder, CARD, SegmenterCard, again, ("labels", "left_out"))
