"""Fit pictures of any size into the square that a network takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Letterbox:
    """Where a source picture lies in its letterboxed form.

    Attributes:
        left: First column of the source, pixels of the letterboxed picture.
        top: First row of the source, likewise.
        scale_x: Letterboxed pixels per source pixel, horizontally.
        scale_y: The same vertically; it differs by the rounding of the size only.
    """

    left: int
    top: int
    scale_x: float
    scale_y: float


def letterbox(
    images: Sequence[np.ndarray] | np.ndarray, side: int
) -> tuple[np.ndarray, list[Letterbox]]:
    """Scale pictures to fit a square, centred, with black beside them.

    Args:
        images: RGB pictures, uint8, [height, width, 3] each, of equal or different sizes.
        side: Height and width of the square, pixels.

    Returns:
        The squares, uint8, [batch, side, side, 3], and where the sources lie in them.

    Raises:
        ValueError: A picture is not uint8 RGB, or is empty.
    """
    squares = np.zeros((len(images), side, side, 3), np.uint8)
    return squares, [fit(*pair) for pair in zip(images, squares, strict=True)]


def fit(image: np.ndarray, square: np.ndarray) -> Letterbox:
    """Scale one picture into a black square, in place.

    Args:
        image: RGB, uint8, [height, width, 3].
        square: Zeros, uint8, [side, side, 3].

    Returns:
        Where the picture lies now.

    Raises:
        ValueError: The picture is not uint8 RGB, or is empty.
    """
    import cv2

    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(
            f"Picture is {image.dtype} {list(image.shape)}; expected RGB, uint8 [height, width, 3]."
        )
    side = len(square)
    height, width = image.shape[:2]
    scale = side / max(height, width)
    new_height, new_width = max(1, round(height * scale)), max(1, round(width * scale))
    top, left = (side - new_height) // 2, (side - new_width) // 2
    # Bilinear without a low-pass, as MediaPipe; averaging takes 5 to 30 times longer and found no
    # more faces.
    square[top : top + new_height, left : left + new_width] = cv2.resize(
        image, (new_width, new_height), interpolation=cv2.INTER_LINEAR
    )
    return Letterbox(left, top, new_width / width, new_height / height)
