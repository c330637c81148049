"""Put shapes on pictures, and find out what of each stays to be seen."""

from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.masks.scenes.outlines import draw_outline

AREAS = {"small": (0.008, 0.024), "medium": (0.038, 0.078), "large": (0.11, 0.22)}
SMALL, LARGE = 0.03, 0.092  # of the picture: under, over
SUBPIXEL = 4  # bits after the point, as cv2.fillPoly takes them
TRIES = 12


@dataclass(frozen=True)
class Piece:
    """A shape at its place.

    Attributes:
        shape: A name of `outlines.SHAPES`.
        colour: Its name.
        mask: bool [size, size], all of it.
    """

    shape: str
    colour: str
    mask: np.ndarray


def place_piece(
    shape: str, colour: str, others: list[Piece], size: int, random: np.random.Generator
) -> Piece | None:
    """Find a place for a shape where it, and what it covers, can still be recognised.

    Args:
        shape: A name of `outlines.SHAPES`.
        colour: Its name; things of one colour never touch.
        others: What lies there already.
        size: Edge of the picture in pixels.
        random: Draws.

    Returns:
        None where no place was found in a few tries.
    """
    for _ in range(TRIES):
        area = random.uniform(*AREAS[str(random.choice(list(AREAS)))])
        centre = (random.integers(3, size=2) + random.uniform(0.2, 0.8, 2)) / 3
        outline = [
            contour * np.sqrt(area) + centre.astype(np.float32)
            for contour in draw_outline(shape, random)
        ]
        mask = fill(outline, size)
        if mask.mean() > 0.7 * area and all(_is_apart(mask, colour, other) for other in others):
            return Piece(shape, colour, mask)
    return None


def _is_apart(mask: np.ndarray, colour: str, other: Piece) -> bool:
    if colour == other.colour:
        near = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        return not (near & other.mask).any()
    return (mask & other.mask).sum() < 0.2 * other.mask.sum()


def fill(outline: list[np.ndarray], size: int) -> np.ndarray:
    """Return which pixels lie within an outline: bool [size, size].

    Args:
        outline: Contours [points, 2] in shares of the picture's edge; the second is a hole.
        size: Edge of the picture in pixels.
    """
    mask = np.zeros((size, size), np.uint8)
    points = [
        np.round((contour * size - 0.5) * (1 << SUBPIXEL)).astype(np.int32) for contour in outline
    ]
    cv2.fillPoly(mask, points, 1, shift=SUBPIXEL)
    return mask > 0


def soften(mask: np.ndarray, blur: float) -> np.ndarray:
    """Return how much of each pixel a mask covers when its edge is blurred.

    Args:
        mask: bool [size, size].
        blur: Standard deviation in pixels.

    Returns:
        float32 [size, size, 1], 0 to 1, a half at the edge.
    """
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), blur)[..., None]


def find_visible(pieces: list[Piece], inside: np.ndarray) -> list[np.ndarray]:
    """Take from each piece what later ones cover.

    Args:
        pieces: In the order in which they are painted.
        inside: bool [size, size], where the picture shows anything.

    Returns:
        A bool mask [size, size] for each.
    """
    free = inside.copy()
    visible = []
    for piece in reversed(pieces):
        visible.append(piece.mask & free)
        free &= ~piece.mask
    return visible[::-1]


def name_size(mask: np.ndarray) -> str:
    """Return "small", "medium" or "large", by the area that is seen."""
    share = mask.mean()
    return "small" if share < SMALL else "large" if share > LARGE else "medium"


def name_places(mask: np.ndarray) -> frozenset[str]:
    """Return all names of the place of a mask's centre: "top left", "top" and "left".

    A ninth of the picture each; "top" alone is the whole upper third, "center" the middle ninth.
    """
    size = len(mask)
    moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
    column, row = (3 * moments[name] / moments["m00"] / size for name in ("m10", "m01"))
    vertical = "top" if row < 1 else "bottom" if row >= 2 else ""
    horizontal = "left" if column < 1 else "right" if column >= 2 else ""
    both = f"{vertical} {horizontal}".strip() or "center"
    return frozenset(filter(None, (both, vertical, horizontal)))
