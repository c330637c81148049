"""Fit pictures of any size into the input of a network."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Letterbox:
    """Where a source picture lies in its letterboxed form.

    Attributes:
        height: Rows of the letterboxed picture, a multiple of the network's grid.
        width: Columns of the letterboxed picture, a multiple of the network's grid.
        top: First row of the source, in pixels of the letterboxed picture.
        left: First column of the source, in pixels of the letterboxed picture.
        scale_y: Letterboxed pixels per source pixel, vertically.
        scale_x: Letterboxed pixels per source pixel, horizontally; differs from `scale_y` only by
            the rounding of the size.
    """

    height: int
    width: int
    top: int
    left: int
    scale_y: float
    scale_x: float


def plan_letterbox(image: np.ndarray, side: int, grid: int) -> Letterbox:
    """Say where a picture will lie when its longer side is scaled to `side`.

    Args:
        image: RGB, uint8, [height, width, 3].
        side: The longer side of the letterboxed picture, pixels, a multiple of grid.
        grid: The shorter side is rounded up to a multiple of this; equal to side it makes
            squares.

    Returns:
        The plan.

    Raises:
        ValueError: The picture is not uint8 RGB, or is empty.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(
            f"Picture is {image.dtype} {list(image.shape)}; expected RGB, uint8 [height, width, 3]."
        )
    height, width = image.shape[:2]
    scale = side / max(height, width)
    inner_height, inner_width = max(1, round(height * scale)), max(1, round(width * scale))
    outer_height = math.ceil(inner_height / grid) * grid
    outer_width = math.ceil(inner_width / grid) * grid
    return Letterbox(
        height=outer_height,
        width=outer_width,
        top=(outer_height - inner_height) // 2,
        left=(outer_width - inner_width) // 2,
        scale_y=inner_height / height,
        scale_x=inner_width / width,
    )


def letterbox(image: np.ndarray, plan: Letterbox) -> np.ndarray:
    """Scale a picture, with black beside it.

    Bilinear without a low-pass, as MediaPipe: averaging takes 5 to 30 times longer and found no
    more faces.

    Args:
        image: RGB, uint8, [height, width, 3].
        plan: What `plan_letterbox` returned for it.

    Returns:
        uint8, [plan.height, plan.width, 3].
    """
    import cv2

    height, width = round(image.shape[0] * plan.scale_y), round(image.shape[1] * plan.scale_x)
    canvas = np.zeros((plan.height, plan.width, 3), np.uint8)
    canvas[plan.top : plan.top + height, plan.left : plan.left + width] = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_LINEAR
    )
    return canvas
