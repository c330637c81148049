"""Pictures in, and for each of them overlays, masks, probabilities and areas out."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from data_prep.masks.images import ReadImage, read_image
from modalities.printable import printable
from tasks.pictures.lettering import Lettering
from tasks.segmentation.areas import Area, measure_areas
from tasks.segmentation.overlay import OverlayPainter, save_picture
from tasks.segmentation.request import Request

if TYPE_CHECKING:
    from tasks.segmentation.predictor import Segmented

DEEPEST = 65535  # of a probability file, where it is 1


class Segments(Protocol):
    """What finds masks, as `Predictor` does."""

    def segment(
        self, image: np.ndarray, prompts: Sequence[str], threshold: float = ...
    ) -> "list[Segmented]":
        """Find what each prompt names in a float [height, width, 3] from 0 to 1."""
        ...


@dataclass(frozen=True)
class Places:
    """Files to write for one picture; None, and no files, are not written.

    Attributes:
        overlay: .png or .jpg.
        masks: A .png a prompt: 8 bits, 255 where the mask is, 0 elsewhere.
        probabilities: A .png a prompt: 16 bits, 65535 where it is 1.
    """

    overlay: Path | None = None
    masks: tuple[Path, ...] = ()
    probabilities: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        overlay = () if self.overlay is None else (self.overlay,)
        return (*overlay, *self.masks, *self.probabilities)


@dataclass(frozen=True)
class PictureAreas:
    """What was found in a picture.

    Attributes:
        picture: Its file.
        width: Columns, pixels.
        height: Rows, pixels.
        spacing_mm: Height and width of a pixel, None where the file does not say it.
        note: What was made of the file that is not plain, as "the first of 12 pictures".
        prompts: One a prompt, in their order.
    """

    picture: str
    width: int
    height: int
    spacing_mm: tuple[float, float] | None
    note: str
    prompts: tuple[Area, ...]


def segment_picture(
    segmenter: Segments,
    picture: str | Path,
    image: ReadImage,
    request: Request,
    places: Places,
    lettering: Lettering | None = None,
) -> PictureAreas:
    """Find what is asked in a picture, and write files.

    Args:
        segmenter: Finds it.
        picture: Its file, to be told.
        image: What was read of it.
        request: Prompts and threshold.
        places: What to write.
        lettering: Draws the legend of the overlay.

    Raises:
        ValueError: The model cannot take the prompts; the overlay is too large for its format.
        OSError: A file cannot be written.
    """
    found = segmenter.segment(image.values, request.prompts, request.threshold)
    height, width = image.values.shape[:2]
    for path, one in zip(places.masks, found, strict=False):
        save_picture(path, one.mask.astype(np.uint8) * 255)
    for path, one in zip(places.probabilities, found, strict=False):
        save_picture(path, np.round(one.probability * np.float32(DEEPEST)).astype(np.uint16))
    if places.overlay is not None:
        painter = OverlayPainter(width, height, request.prompts, lettering)
        shown = painter.draw(to_bytes(image.values), [one.mask for one in found])
        save_picture(places.overlay, shown)
    areas = measure_areas(found, image.spacing_mm)
    return PictureAreas(str(picture), width, height, image.spacing_mm, image.note, areas)


def segment_pictures(
    segmenter: Segments,
    pictures: dict[Path, Places],
    request: Request,
    take: Callable[[PictureAreas], None],
    progress: Callable[[float, float | None], None] | None = None,
    lettering: Lettering | None = None,
) -> dict[str, str]:
    """Do the same for many; those that cannot be read are left out.

    Args:
        segmenter: Finds what is asked.
        pictures: What to write for each.
        request: Prompts, threshold and window.
        take: Called with what was found in each.
        progress: Called with the pictures done, and all.
        lettering: Draws the legends.

    Returns:
        Why pictures were left out, by their names.

    Raises:
        ValueError: The model cannot take the prompts.
        OSError: A file cannot be written.
    """
    failed: dict[str, str] = {}
    for number, (path, places) in enumerate(pictures.items(), 1):
        try:
            image = read_image(path, request.window)
        except (ValueError, OSError) as error:
            reason = str(error).removeprefix(str(path)).lstrip(": ")
            failed[printable(str(path))] = printable(reason)
        else:
            take(segment_picture(segmenter, path, image, request, places, lettering))
        if progress:
            progress(number, len(pictures))
    return failed


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Return a picture of 0 to 1 as uint8, rounded, without a copy of it in floats on the way."""
    import cv2

    return cv2.convertScaleAbs(values, alpha=255)


def number_files(path: Path, prompts: int) -> tuple[Path, ...]:
    """Return a file a prompt: the path itself for one; NAME_1.png, NAME_2.png for more."""
    if prompts == 1:
        return (path,)
    return tuple(path.with_stem(f"{path.stem}_{n}") for n in range(1, prompts + 1))


def place_all(
    source: Path,
    pictures: Iterable[Path],
    prompts: int,
    overlay: Path | None,
    mask: Path | None,
    probability: Path | None,
) -> dict[Path, Places]:
    """Choose what is written for each picture of a folder.

    Files are called NAME.png in the same folders below; where two pictures have one name but for
    the suffix, with the suffix, as scan.jpg.png.

    Args:
        source: The folder.
        pictures: Files in it.
        prompts: How many.
        overlay: Folder for overlays, or None for none.
        mask: Folder for masks, likewise.
        probability: Folder for probabilities, likewise.
    """
    inner = {path: path.relative_to(source) for path in pictures}
    often = Counter(name.with_suffix("") for name in inner.values())
    found = {}
    for path, name in inner.items():
        alone = often[name.with_suffix("")] == 1
        png = name.with_suffix(".png") if alone else name.with_name(f"{name.name}.png")
        found[path] = Places(
            None if overlay is None else overlay / png,
            () if mask is None else number_files(mask / png, prompts),
            () if probability is None else number_files(probability / png, prompts),
        )
    return found
