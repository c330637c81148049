"""Painted pictures as a file: one as it is, several side by side."""

from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path

import numpy as np
from torch import Tensor

from data_prep.masks.images import to_8_bits
from tasks.pictures.sheets import save_sheet

GAP = 4  # pixels of white between pictures
SEEN = 256  # pixels of the shorter side that a person looks at without pain
MOST_PIXELS = 2**26  # of a sheet, which viewers still open


def enlargement(size: Sequence[int], side: int = SEEN) -> int:
    """Return how many times a picture is enlarged where nobody says, 1 for a large one.

    Args:
        size: Height and width as painted.
        side: Pixels that the shorter of them is to have at least.
    """
    return max(1, ceil(side / min(size)))


def check_grid(count: int, size: tuple[int, int], enlarged: int) -> None:
    """Check that pictures fit into one file, before they are painted.

    Args:
        count: Pictures.
        size: Height and width of each as painted.
        enlarged: How many times they are enlarged.

    Raises:
        ValueError: The sheet would be too large.
    """
    pixels = count * size[0] * size[1] * enlarged**2
    if pixels > MOST_PIXELS:
        raise ValueError(
            f"{count} pictures of {size[0]} x {size[1]}, enlarged {enlarged} times, have "
            f"{pixels:,} pixels; expected {MOST_PIXELS:,} or fewer. Take a smaller --enlarge or "
            "--count."
        )


def save_grid(pictures: Tensor, path: str | Path, enlarged: int = 1) -> None:
    """Write pictures into a file, which appears whole.

    Args:
        pictures: 0..1, [pictures, height, width, 3], one or more; the first comes top left, the
            next beside it.
        path: Ends with ".png", ".jpg" or ".jpeg".
        enlarged: Side of the square that a pixel becomes, 1 or more.

    Raises:
        OSError: It cannot be written.
    """
    plain = to_8_bits(pictures.numpy())
    save_sheet(arrange(plain.repeat(enlarged, 1).repeat(enlarged, 2)), Path(path))


def arrange(pictures: np.ndarray) -> np.ndarray:
    """Lay pictures out in rows and as many columns, or one more, with white between them.

    Args:
        pictures: uint8 [pictures, height, width, 3], one or more.

    Returns:
        uint8 [height, width, 3].
    """
    columns = ceil(sqrt(len(pictures)))
    rows = ceil(len(pictures) / columns)
    height, width = pictures.shape[1:3]
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = (height + GAP) * (number // columns), (width + GAP) * (number % columns)
        sheet[top : top + height, left : left + width] = picture
    return sheet
