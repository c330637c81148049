"""Painted pictures as a file: one as it is, several side by side."""

from math import ceil, sqrt
from pathlib import Path

import numpy as np
from torch import Tensor

from tasks.pictures.sheets import save_sheet

GAP = 4  # pixels of white between pictures


def save_grid(pictures: Tensor, path: str | Path) -> None:
    """Write pictures into a file, which appears whole.

    Args:
        pictures: 0..1, [pictures, height, width, 3], one or more; the first comes top left, the
            next beside it.
        path: Ends with ".png", ".jpg" or ".jpeg".

    Raises:
        OSError: It cannot be written.
    """
    save_sheet(arrange(np.round(255 * pictures.clamp(0, 1).numpy()).astype(np.uint8)), Path(path))


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
