"""What is told of a mask in numbers: how large, where, how sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.segmentation.predictor import Box, Segmented


@dataclass(frozen=True)
class Point:
    """A place in a picture, in pixels from the middle of the upper left one."""

    x: float
    y: float


@dataclass(frozen=True)
class Area:
    """What was found for one prompt.

    Attributes:
        prompt: As it was given.
        area_px: Pixels of the mask.
        share: How much of the picture that is, 0 to 1.
        area_mm2: Square millimetres, None where the picture does not say how large its pixels are.
        centre: Mean place of the mask's pixels, None where it is empty.
        box: The smallest rectangle around it, in pixels; right and bottom are outside of it.
        mean_probability: Over the mask, None where it is empty.
        highest_probability: Over the picture.
        cut: Whether the prompt was longer than the model reads, and its end was left out.
    """

    prompt: str
    area_px: int
    share: float
    area_mm2: float | None
    centre: Point | None
    box: "Box | None"
    mean_probability: float | None
    highest_probability: float
    cut: bool


def measure_areas(
    found: Sequence["Segmented"], spacing_mm: tuple[float, float] | None = None
) -> tuple[Area, ...]:
    """Measure what was found.

    Args:
        found: For one prompt after the other.
        spacing_mm: Height and width of a pixel, where they are known.
    """
    return tuple(_measure(one, spacing_mm) for one in found)


def _measure(found: "Segmented", spacing_mm: tuple[float, float] | None) -> Area:
    pixels, centre = found.area, found.centre
    return Area(
        prompt=found.prompt,
        area_px=pixels,
        share=pixels / found.mask.size,
        area_mm2=None if spacing_mm is None else pixels * spacing_mm[0] * spacing_mm[1],
        centre=None if centre is None else Point(*centre),
        box=found.box,
        mean_probability=float(found.probability[found.mask].mean()) if pixels else None,
        highest_probability=float(found.probability.max()),
        cut=found.cut,
    )


def percent(share: float) -> str:
    """Write a share of 0 to 1 so that what is there is never told as nothing."""
    shown = 100 * share
    return "< 0.1 %" if 0 < shown < 0.05 else f"{shown:.1f} %"
