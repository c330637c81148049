"""How coded pictures are turned upright, and how large they are then; known without decoding."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from av.video.frame import VideoFrame as DecodedPicture

if TYPE_CHECKING:
    import numpy as np

MAX_PIXEL_ASPECT = 8


@dataclass(frozen=True)
class Orientation:
    """How a coded picture becomes upright: first transposed, then mirrored, then turned over.

    `transpose` swaps rows and columns, `mirror` swaps left and right, `turn_over` top and bottom.
    """

    transpose: bool = False
    mirror: bool = False
    turn_over: bool = False

    @property
    def mirrored(self) -> bool:
        """Whether the upright picture is a mirror image of the coded one."""
        return (self.transpose + self.mirror + self.turn_over) % 2 == 1

    @property
    def rotation_degrees(self) -> int:
        """Turn counterclockwise before a mirroring of left and right: 0, 90, 180 or 270."""
        if self.transpose:
            return 90 if self.turn_over else 270
        return 180 if self.turn_over else 0

    def apply(self, picture: "np.ndarray") -> "np.ndarray":
        """Turn a picture upright.

        Args:
            picture: [height, width, ...] as coded.

        Returns:
            A view, [height, width, ...]; rows and columns swapped if `transpose`.
        """
        if self.transpose:
            picture = picture.swapaxes(0, 1)
        if self.mirror:
            picture = picture[:, ::-1]
        if self.turn_over:
            picture = picture[::-1]
        return picture


def read_orientation(picture: DecodedPicture) -> Orientation:
    """Read the display matrix of a decoded picture, snapped to quarter turns.

    Source:
        libavutil/display.h: x' = a x + c y, y' = b x + d y for the matrix a b u c d v x y w.
    """
    side_data = picture.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return Orientation()
    a, b, _, c, d = struct.unpack_from("=5i", bytes(side_data))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


def display_size(
    width: int, height: int, pixel_aspect: Fraction, orientation: Orientation
) -> tuple[int, int]:
    """Width and height of the upright picture with square pixels.

    Args:
        width: Coded width in pixels.
        height: Coded height in pixels.
        pixel_aspect: Width of a coded pixel by its height.
        orientation: Turn that makes it upright.

    Returns:
        Width, height; the coded rows keep their number, the columns are stretched.
    """
    width = max(1, round(width * pixel_aspect))
    return (height, width) if orientation.transpose else (width, height)


def checked_pixel_aspect(pixel_aspect: Fraction | None) -> Fraction:
    """The pixel aspect, or 1 where it is unknown or absurd."""
    if not pixel_aspect or not 1 / MAX_PIXEL_ASPECT <= pixel_aspect <= MAX_PIXEL_ASPECT:
        return Fraction(1)
    return Fraction(pixel_aspect)


def fit_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Width and height of a picture shrunk, never enlarged, to a longest side."""
    scale = min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def letterbox_area(width: int, height: int, side: int) -> tuple[int, int, int, int]:
    """Where a picture lies in its letterbox.

    Args:
        width: Width of the picture.
        height: Height of the picture.
        side: Side of the square.

    Returns:
        Left, top, width, height of the picture in the square: centred, as large as it goes.
    """
    scale = side / max(width, height)
    inner_width = min(side, max(1, round(width * scale)))
    inner_height = min(side, max(1, round(height * scale)))
    return (side - inner_width) // 2, (side - inner_height) // 2, inner_width, inner_height
