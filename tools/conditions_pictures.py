"""Pictures that conditions are studied on: written digits and drawn shapes, of any size.

Values are -1 to 1, [rows, colours, height, width]. What is drawn comes from a seed alone.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from modalities.extras import import_extra

SIDE = 16  # pixels, where nobody says another
FINE = 4  # times as fine as they are shown, so they are drawn
PARTS = {"train": (0, 1000), "validation": (1000, 1250), "test": (1250, 1797)}
SHAPES = ("circle", "square", "triangle", "star")
COLOURS = {
    "red": (230, 50, 40),
    "green": (50, 190, 70),
    "blue": (60, 90, 240),
    "yellow": (240, 220, 50),
    "magenta": (220, 70, 210),
    "cyan": (60, 210, 220),
}
DIGIT_ATTRIBUTES = ("thickness", "slant", "scale")
SHAPE_ATTRIBUTES = ("column", "row", "radius")
DARK = 50  # the lightest ground, of 255
CANNY = (60, 120)  # of its two thresholds, the differences of 8-bit values
FAINT = 0.15  # of a picture's range: below it there is no ink
_OFFSETS = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures, and what is known of them.

    Attributes:
        values: -1 to 1, [rows, colours, height, width].
        words: What they show, int64, [rows, words]: the digit; or the shape, and 4 + the colour.
        attributes: Of digits as measured in the picture, see `measure_digits`; of shapes as they
            were drawn, in the order of SHAPE_ATTRIBUTES, shares of the side; [rows, 3].
    """

    values: Tensor
    words: Tensor
    attributes: Tensor

    def __len__(self) -> int:
        return len(self.values)

    @property
    def edges(self) -> Tensor:
        """Their edges, see `find_edges`."""
        return find_edges(self.values)

    def take(self, rows: Any) -> "Pictures":
        """Return some of them, by number, slice or mask."""
        return Pictures(self.values[rows], self.words[rows], self.attributes[rows])


def draw_digits(part: str, count: int, seed: int, side: int = SIDE) -> Pictures:
    """Draw written digits, each warped anew: slant, size, place and thickness vary.

    Args:
        part: A name of PARTS, whose writers are others than those of the other parts.
        count: How many.
        seed: Fixes all.
        side: Height and width in pixels.

    Returns:
        Grey pictures, light on black.

    Raises:
        ValueError: No such part, or scikit-learn is not installed.
    """
    images, labels = _written(part)
    random = np.random.default_rng([seed, _OFFSETS[part], 10])
    drawn, words = [], []
    for _ in range(count):
        number = int(random.integers(len(images)))
        drawn.append(_warp(images[number], random, side))
        words.append(int(labels[number]))
    values = torch.from_numpy(np.stack(drawn))[:, None] * 2 - 1
    return Pictures(values, torch.tensor(words)[:, None], measure_digits(values))


def draw_shapes(part: str, count: int, seed: int, side: int = SIDE) -> Pictures:
    """Draw shapes of one colour at random places on a dark ground.

    Args:
        part: A name of PARTS; the same seed draws others for each.
        count: How many.
        seed: Fixes all.
        side: Height and width in pixels; shapes are the same at any.

    Returns:
        Pictures of red, green and blue.

    Raises:
        ValueError: No such part.
    """
    check_part(part)
    random = np.random.default_rng([seed, _OFFSETS[part], 11])
    shapes, colours = random.integers(len(SHAPES), size=count), random.integers(6, size=count)
    radii = random.uniform(0.2, 0.36, count)
    places = random.uniform(radii[:, None] + 0.02, 0.98 - radii[:, None], (count, 2))
    turns, grounds = random.uniform(-0.3, 0.3, count), random.integers(DARK, size=(count, 3))
    attributes = np.column_stack([places, radii])
    drawn = [
        _draw_shape(SHAPES[shape], list(COLOURS.values())[colour], given, turn, ground, side)
        for shape, colour, given, turn, ground in zip(
            shapes, colours, attributes, turns, grounds, strict=True
        )
    ]
    values = torch.from_numpy(np.stack(drawn)).movedim(-1, 1) / 127.5 - 1
    words = torch.from_numpy(np.column_stack([shapes, len(SHAPES) + colours]))
    return Pictures(values.float(), words, torch.from_numpy(attributes).float())


DRAWERS = {"digits": draw_digits, "shapes": draw_shapes}


def measure_digits(values: Tensor) -> Tensor:
    """Measure thickness, slant and scale of light strokes on black.

    Args:
        values: -1 to 1, [rows, 1, height, width].

    Returns:
        [rows, 3]: thickness of strokes as a share of the side, twice the ink by the length of its
        border; slant, by how many columns ink goes to the right for each row that it goes up;
        scale, the standard deviation of ink over rows as a share of the side, times 4.
    """
    ink = ((values.mean(1) + 1) / 2 - FAINT).clamp(min=0)
    height, width = ink.shape[1:]
    padded = functional.pad(ink, (1, 1, 1, 1))
    down, right = padded.diff(dim=1)[:, :, :-1], padded.diff(dim=2)[:, :-1]
    border = (down.square() + right.square()).sqrt().sum((1, 2))
    total = ink.sum((1, 2)).clamp(min=1e-6)
    rows = torch.arange(height).float().view(1, -1, 1) / height
    columns = torch.arange(width).float().view(1, 1, -1) / width
    row = (ink * rows).sum((1, 2)) / total
    column = (ink * columns).sum((1, 2)) / total
    away, aside = rows - row.view(-1, 1, 1), columns - column.view(-1, 1, 1)
    spread = (ink * away.square()).sum((1, 2)) / total
    slant = -(ink * away * aside).sum((1, 2)) / total / spread.clamp(min=1e-6)
    thickness = 2 * total / border.clamp(min=1e-6) / height
    return torch.stack([thickness, slant, 4 * spread.sqrt()], 1)


def find_edges(values: Tensor) -> Tensor:
    """Find edges by Canny's detector.

    Args:
        values: -1 to 1, [rows, colours, height, width].

    Returns:
        0 or 1, [rows, 1, height, width].
    """
    pixels = ((values.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).movedim(1, -1).numpy()
    found = [cv2.Canny(np.ascontiguousarray(one), *CANNY, L2gradient=True) for one in pixels]
    return torch.from_numpy(np.stack(found)).float()[:, None] / 255


def check_part(part: str) -> None:
    """Raise where no part is called so.

    Raises:
        ValueError: The message lists those there are.
    """
    if part not in PARTS:
        raise ValueError(f"No part {part!r}; known: {', '.join(PARTS)}.")


def resize(pictures: Pictures, side: int) -> Pictures:
    """Return pictures with as many pixels to a side, each the mean of what it covers."""
    values = functional.interpolate(pictures.values, size=(side, side), mode="area")
    return replace(pictures, values=values)


@cache
def _written(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits of a part by their writers, 0..1 [digits, 8, 8]."""
    check_part(part)
    table = import_extra("sklearn.datasets", "separation", "pictures of digits").load_digits()
    some = slice(*PARTS[part])
    return (table.images[some] / 16).astype(np.float32), table.target[some]


def _warp(image: np.ndarray, random: np.random.Generator, side: int) -> np.ndarray:
    """Draw a digit larger, thicker or thinner, slanted, scaled and moved, 0..1 [side, side]."""
    fine = FINE * side
    large = cv2.resize(image, (fine, fine), interpolation=cv2.INTER_CUBIC)
    thicker = random.uniform(-0.02, 0.035) * fine
    size = 2 * round(abs(thicker)) + 1
    change = cv2.dilate if thicker > 0 else cv2.erode
    large = change(large, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    slant, scale = random.uniform(-0.35, 0.35), random.uniform(0.7, 1.0)
    moved = random.uniform(-0.06, 0.06, 2) * fine
    middle = fine / 2
    matrix = np.array([[scale, -slant * scale, 0], [0, scale, 0]])
    matrix[:, 2] = middle + moved - matrix[:, :2] @ [middle, middle]
    warped = cv2.warpAffine(large, matrix, (fine, fine), flags=cv2.INTER_LINEAR)
    return cv2.resize(warped, (side, side), interpolation=cv2.INTER_AREA).clip(0, 1)


def _draw_shape(
    shape: str,
    colour: tuple[int, int, int],
    place: np.ndarray,
    turn: float,
    ground: np.ndarray,
    side: int,
) -> np.ndarray:
    """Draw a shape, float32 0..255 [side, side, 3]; `place` is column, row and radius."""
    fine = FINE * max(side, SIDE)
    canvas = np.full((fine, fine, 3), ground, np.float32)
    centre, radius = place[:2] * fine, place[2] * fine
    if shape == "circle":
        corners, radii = 40, np.ones(40)
    elif shape == "star":
        corners, radii = 10, np.tile([1.0, 0.42], 5)
    else:
        corners = 4 if shape == "square" else 3
        radii = np.ones(corners)
    turned = turn - np.pi / 2 + (np.pi / 4 if shape == "square" else 0)
    angles = turned + 2 * np.pi * np.arange(corners) / corners
    points = centre + radius * radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    cv2.fillPoly(canvas, [points.round().astype(np.int32)], colour)
    return cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
