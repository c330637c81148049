"""Does something appear between two looks that neither of them shows?"""

from collections.abc import Sequence

import cv2
import numpy as np

COLUMNS = 48
LEAST_CHANGE = 10  # grey levels
SIDE = 3  # cells; a smaller face is not seen by the detector either
LEAST_SHARE = 0.7  # of the cells of such a square
# What moves with a known face: hair beside and above it, the body below.
ABOVE, BESIDE, BELOW = 0.6, 1.2, 4.0  # heights and widths of the face


def has_newcomer(
    picture: np.ndarray, others: Sequence[np.ndarray], known: Sequence[np.ndarray]
) -> bool:
    """Tell whether a picture shows something of the size of a face that others do not.

    Args:
        picture: uint8 [height, width].
        others: What was looked at before and after it, of that shape.
        known: Boxes [4] of faces that are followed, as x, y, width, height in parts of the picture.
    """
    here = _shrink(picture)
    change = np.minimum.reduce([cv2.absdiff(here, _shrink(other)) for other in others])
    changed = (change >= LEAST_CHANGE).astype(np.float32)
    rows, columns = changed.shape
    for x, y, width, height in known:
        part = (
            _cells(y - ABOVE * height, y + (1 + BELOW) * height, rows),
            _cells(x - BESIDE * width, x + (1 + BESIDE) * width, columns),
        )
        changed[part] = 0
    return bool(cv2.blur(changed, (SIDE, SIDE)).max() >= LEAST_SHARE)


def _cells(start: float, stop: float, count: int) -> slice:
    """The cells between two places, given in parts of the picture."""
    return slice(max(0, int(start * count)), max(0, int(stop * count) + 1))


def _shrink(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape
    rows = max(1, round(COLUMNS * height / width))
    return cv2.resize(picture, (COLUMNS, rows), interpolation=cv2.INTER_AREA)
