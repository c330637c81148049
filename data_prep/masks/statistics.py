"""What a mask says of its class in numbers and words: how many pieces, how large, where."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

SMALLEST_PIECE = 0.0005  # of the picture; smaller ones are specks that people do not count
SMALL, LARGE = 0.1, 0.3  # of the picture; below and from these, as the published prompts have it
ROWS, COLUMNS = ("top", "", "bottom"), ("left", "", "right")
# Shapes by how much of their box, of the tightest angle, they fill: a triangle fills half of it,
# an ellipse pi / 4, a rectangle all. The bounds lie between these.
TRIANGLE_FILLS, ELLIPSE_FILLS = 0.64, 0.88
ELONGATED = 1.5  # long side by short side of that box
SOLID = 0.8  # of the convex hull; less has bays


@dataclass(frozen=True)
class Piece:
    """One connected piece of a mask.

    Attributes:
        area: Pixels.
        place: Where its centre of mass is, as "top left", "right" or "center".
        shape: "round", "oval", "square", "rectangular", "triangular" or "irregular".
    """

    area: int
    place: str
    shape: str


@dataclass(frozen=True)
class MaskStatistics:
    """What is said of a mask.

    Attributes:
        share: Part of the picture that belongs to the class, 0 to 1.
        size: "small", "medium" or "large" by the share; "" of an empty mask.
        pieces: Connected ones, the largest first, without specks.
    """

    share: float
    size: str
    pieces: tuple[Piece, ...]


def describe_mask(mask: np.ndarray) -> MaskStatistics:
    """Describe a mask.

    Args:
        mask: bool [height, width]; True where the class is.

    Returns:
        Numbers and words. Pieces below 0.05 % of the picture do not count, unless there are no
        others; then the largest does.
    """
    count, labels, found, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    areas = found[1:, cv2.CC_STAT_AREA]  # the first is what is not in the mask
    if count < 2:
        return MaskStatistics(0.0, "", ())
    order = np.argsort(-areas, kind="stable")
    kept = [n for n in order if areas[n] >= SMALLEST_PIECE * mask.size] or [order[0]]
    pieces = tuple(
        Piece(int(areas[n]), _place_of(centres[n + 1], mask.shape), _shape_of(labels, n + 1, found))
        for n in kept
    )
    share = float(mask.mean())
    return MaskStatistics(share, _size_of(share), pieces)


def _size_of(share: float) -> str:
    return "small" if share < SMALL else "medium" if share < LARGE else "large"


def _place_of(centre: np.ndarray, shape: tuple[int, ...]) -> str:
    """Name the ninth of the picture that a centre of mass (x, y) lies in."""
    height, width = shape
    row = ROWS[min(int(3 * (centre[1] + 0.5) / height), 2)]
    column = COLUMNS[min(int(3 * (centre[0] + 0.5) / width), 2)]
    return f"{row} {column}".strip() or "center"


def _shape_of(labels: np.ndarray, number: int, found: np.ndarray) -> str:
    left, top, width, height = found[number, : cv2.CC_STAT_AREA]
    piece = (labels[top : top + height, left : left + width] == number).astype(np.uint8)
    outlines, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=len)
    area = max(cv2.contourArea(outline), 1.0)
    (_, sides, angle), hull = cv2.minAreaRect(outline), cv2.contourArea(cv2.convexHull(outline))
    if min(sides) < 2:  # a dot or a line has no shape to speak of
        return "round" if max(sides) < 2 else "oval"
    if area < SOLID * hull:
        return "irregular"
    elongated = max(sides) >= ELONGATED * min(sides)
    # The outline runs through the middles of pixels: half of one is missing on each side.
    edge = abs(math.cos(math.radians(angle))) + abs(math.sin(math.radians(angle)))
    pixels = area + len(outline) / 2 + 1
    fills = pixels / ((sides[0] + edge) * (sides[1] + edge))
    if fills < TRIANGLE_FILLS:
        return "triangular"
    if fills < ELLIPSE_FILLS:
        return "oval" if elongated else "round"
    return "rectangular" if elongated else "square"
