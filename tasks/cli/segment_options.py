"""What `mcgurk segment` was asked, checked as far as that needs no model."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.segmentation.request import Request

if TYPE_CHECKING:
    from tasks.segmentation import Segmenter

PNG = ".png"


@dataclass(frozen=True)
class SegmentOptions:
    """What was typed.

    Attributes:
        source: A picture, a folder of pictures, or a video.
        request: Prompts, threshold and window.
        output: Where overlays go, or None.
        mask: Where masks go, or None.
        probability: Where probabilities go, or None.
        per_frame: Where the areas of each frame of a video go, or None.
        model: Folder or name of a segmenter, as `Segmenter.load` takes it.
        device: "auto", "cpu", "cuda" or "mps".
        as_json: Whether JSON is printed, and nothing else.
    """

    source: Path
    request: Request
    output: Path | None
    mask: Path | None
    probability: Path | None
    per_frame: Path | None
    model: str
    device: str
    as_json: bool

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where files of pictures go, of those that were named."""
        named = (self.output, self.mask, self.probability)
        return tuple(path for path in named if path is not None)


def parse_window(text: str) -> tuple[float, float]:
    """Read "centre,width".

    Raises:
        ValueError: Not two numbers.
    """
    try:
        centre, width = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"Window {text!r} is not two numbers; expected CENTRE,WIDTH in the picture's own "
            "values, as 40,400."
        ) from None
    return centre, width


def check_prompts(prompts: tuple[str, ...]) -> None:
    """Check that no prompt is a file, as "*.png" makes one of each picture but the first.

    Raises:
        ValueError: One is.
    """
    from data_prep.masks.images import PICTURES
    from data_prep.media.files import MEDIA

    for prompt in prompts:
        if Path(prompt).suffix.lower() in PICTURES | MEDIA and Path(prompt).is_file():
            raise ValueError(
                f"The prompt {prompt} is a file; expected words. For several pictures give their "
                "folder."
            )


def check_suffix(path: Path | None, what: str, known: tuple[str, ...]) -> None:
    """Check the name of an output.

    Raises:
        ValueError: It has another suffix.
    """
    if path is not None and path.suffix.lower() not in known:
        expected = " or ".join(filter(None, (", ".join(known[:-1]), known[-1])))
        raise ValueError(f"Cannot write {path}: {what} is {expected}. Rename the output.")


def check_model(model: str) -> None:
    """Check a model that is a folder, before what reads it is loaded.

    Raises:
        FileNotFoundError: It holds neither a CLIPSeg nor what training wrote.
        ValueError: It is damaged.
    """
    from modalities.empty_name import refuse_empty_name
    from tasks.segmentation.card import read_card

    refuse_empty_name(model, "segmenter")
    folder = Path(model).expanduser()
    if folder.is_dir() and not (folder / "config.json").is_file():
        read_card(folder)


def load_segmenter(options: SegmentOptions) -> "Segmenter":
    """Load the model, and say on stderr what it does not do.

    Raises:
        OSError: A file cannot be read.
        ValueError: No such model or device.
    """
    from tasks.segmentation import Segmenter
    from tasks.segmentation.variants import UNET

    segmenter = Segmenter.load(options.model, options.device)
    if segmenter.card.method == UNET and not options.as_json:
        from tasks.cli.segment_shown import tell

        known = ", ".join(segmenter.card.labels)
        tell(f"{options.model} is a plain U-Net, which reads no prompts: it finds {known}.")
    return segmenter
