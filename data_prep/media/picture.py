"""Decoded pictures turned upright, with square pixels, in the size and colours wanted."""

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.video.frame import VideoFrame as DecodedPicture
from av.video.reformatter import Interpolation, VideoReformatter

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

    def apply(self, picture: np.ndarray) -> np.ndarray:
        """Turn a picture upright.

        Args:
            picture: [height, width, ...] as coded.

        Returns:
            [height, width, ...], contiguous; rows and columns swapped if `transpose`.
        """
        if self.transpose:
            picture = picture.swapaxes(0, 1)
        if self.mirror:
            picture = picture[:, ::-1]
        if self.turn_over:
            picture = picture[::-1]
        return np.ascontiguousarray(picture)


def read_orientation(picture: DecodedPicture) -> Orientation:
    """Read the display matrix of a decoded picture, snapped to quarter turns.

    Source:
        libavutil/display.h: x' = a x + c y, y' = b x + d y for the matrix a b u c d v x y w.
    """
    side_data = picture.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return Orientation()
    a, b, _, c, d = np.frombuffer(bytes(side_data), np.int32)[:5].astype(np.int64).tolist()
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


class PictureConverter:
    """Converts all pictures of one stream by swscale to one upright size.

    Args:
        width: Width of the upright pictures.
        height: Height of the upright pictures.
        orientation: Turn that makes coded pictures upright.
    """

    def __init__(self, width: int, height: int, orientation: Orientation):
        self.width = width
        self.height = height
        self.orientation = orientation
        # A reformatter keeps its scaler: one for each kind of output, or it is built every time.
        self._reformatters: dict[tuple[str, int, int], VideoReformatter] = {}

    def convert(
        self, picture: DecodedPicture, pixel_format: str, width: int, height: int
    ) -> np.ndarray:
        """Convert a decoded picture.

        Args:
            picture: A picture of any size and pixel format.
            pixel_format: "gray" or "rgb24", both in full range.
            width: Width of the upright result.
            height: Height of the upright result.

        Returns:
            uint8 [height, width] or [height, width, 3], read-only.

        Raises:
            ValueError: swscale cannot read its pixel format.
        """
        if self.orientation.transpose:
            width, height = height, width
        reformatter = self._reformatters.setdefault(
            (pixel_format, width, height), VideoReformatter()
        )
        shrinks = width < picture.width or height < picture.height
        try:
            converted = reformatter.reformat(
                picture,
                width=width,
                height=height,
                format=pixel_format,
                interpolation=Interpolation.AREA if shrinks else Interpolation.BICUBIC,
                dst_color_range="JPEG",
                threads=1,
            )
        except (av.FFmpegError, ValueError) as error:
            raise ValueError(
                f"A picture of pixel format {picture.format.name}, {picture.width} x "
                f"{picture.height}, cannot be converted; expected YUV, RGB or gray. "
                f"Re-encode the file."
            ) from error
        upright = self.orientation.apply(converted.to_ndarray())
        upright.setflags(write=False)
        return upright


class Picture:
    """One decoded picture with its conversions, each made at most once."""

    def __init__(self, decoded: DecodedPicture, converter: PictureConverter):
        self._decoded = decoded
        self.converter = converter
        self._converted: dict[tuple[str, int], np.ndarray] = {}

    def gray(self) -> np.ndarray:
        """Brightness, uint8 [height, width], 0 to 255."""
        return self._full("gray")

    def rgb(self) -> np.ndarray:
        """Colours, uint8 [height, width, 3]."""
        return self._full("rgb24")

    def rgb_letterbox(self, side: int) -> np.ndarray:
        """Colours in a black square, uint8 [side, side, 3]; `letterbox_area` tells where."""
        key = ("letterbox", side)
        if key not in self._converted:
            left, top, width, height = letterbox_area(
                self.converter.width, self.converter.height, side
            )
            square = np.zeros((side, side, 3), np.uint8)
            square[top : top + height, left : left + width] = self.converter.convert(
                self._decoded, "rgb24", width, height
            )
            square.setflags(write=False)
            self._converted[key] = square
        return self._converted[key]

    def _full(self, pixel_format: str) -> np.ndarray:
        key = (pixel_format, 0)
        if key not in self._converted:
            self._converted[key] = self.converter.convert(
                self._decoded, pixel_format, self.converter.width, self.converter.height
            )
        return self._converted[key]
