"""A sheet of painted pictures, above those that were to be painted."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from data_prep.masks.images import to_8_bits
from tasks.audio_to_image.painting.grid import enlargement
from tasks.pictures.sheets import save_sheet

LEAST_SIDE = 64  # small pictures are shown larger
GAP = 4


def save_samples(pictures: Tensor, truths: Sequence[np.ndarray], path: Path) -> None:
    """Write a sheet.

    Args:
        pictures: 0..1, [rows, height, width, 3], beside one another.
        truths: uint8, one below each; empty for none.
        path: A picture file.

    Raises:
        OSError: It cannot be written.
    """
    painted = to_8_bits(pictures.numpy())
    columns = []
    for number, picture in enumerate(painted):
        shown = [picture]
        if len(truths):
            size = picture.shape[1::-1]
            shown.append(cv2.resize(truths[number], size, interpolation=cv2.INTER_AREA))
        columns.append(np.vstack([_framed(_enlarged(one)) for one in shown]))
    save_sheet(np.hstack(columns), path)


def _enlarged(picture: np.ndarray) -> np.ndarray:
    times = enlargement(picture.shape[:2], LEAST_SIDE)
    return picture.repeat(times, 0).repeat(times, 1)


def _framed(picture: np.ndarray) -> np.ndarray:
    return np.pad(picture, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)
