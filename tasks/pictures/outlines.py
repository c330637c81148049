"""Outlines of masks, as lines that are seen on any picture."""

from collections.abc import Sequence

import cv2
import numpy as np

EDGE = (0, 0, 0)
LINE = 2  # pixels
DASH = 7  # pixels: length of a dash, and of what is between two


def find_contours(mask: np.ndarray) -> list[np.ndarray]:
    """Return the outlines of a mask, holes too, each closed, float [points, 2] as column and row.

    Args:
        mask: Bool [height, width].
    """
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    outlines = [contour[:, 0].astype(np.float64) for contour in found]
    return [np.concatenate([outline, outline[:1]]) for outline in outlines]


def dashes_of(contour: np.ndarray, dash: int = DASH) -> list[np.ndarray]:
    """Cut a closed outline into dashes; a short one stays whole.

    Args:
        contour: [points, 2].
        dash: Length of a dash and of what is between two, in pixels.
    """
    steps = np.hypot(*np.diff(contour, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    count = int(along[-1] // (2 * dash))
    if not count:
        return [contour]
    starts = np.arange(count) * along[-1] / count
    return [_part(contour, along, start, start + dash) for start in starts]


def _part(contour: np.ndarray, along: np.ndarray, start: float, stop: float) -> np.ndarray:
    inner = along[(along > start) & (along < stop)]
    places = np.concatenate([[start], inner, [stop]])
    return np.stack([np.interp(places, along, axis) for axis in contour.T], 1)


def stroke(
    canvas: np.ndarray,
    lines: Sequence[np.ndarray],
    colour: tuple[int, int, int],
    thick: int = LINE,
) -> None:
    """Draw lines with a black edge below all of them, so that they are seen on white and black.

    Args:
        canvas: Uint8 [height, width, 3], changed in place; what lies outside of it is left out.
        lines: Each [points, 2] as column and row; pixels' middles are whole numbers.
        colour: In the order of the picture's channels, each 0 to 255.
        thick: Pixels; the edge adds a quarter of it on either side, a pixel at least.
    """
    fixed = [np.round(line * 16).astype(np.int32)[:, None] for line in lines]
    for shade, width in ((EDGE, thick + 2 * max(1, thick // 4)), (colour, thick)):
        cv2.polylines(canvas, fixed, False, shade, width, cv2.LINE_AA, 4)
