"""Decoded pictures turned upright, with square pixels, in the size and colours wanted."""

from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame as DecodedPicture
from av.video.reformatter import Interpolation, VideoReformatter

from data_prep.media.orientation import Orientation, letterbox_area

PLANAR = ("yuv420p", "yuvj420p")  # what nearly all files hold; brightness is their first plane


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
        self._full_ranges: dict[tuple[str, int, int], np.ndarray] = {}

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
        same_size = (width, height) == (picture.width, picture.height)
        readable = picture.format.name in PLANAR and picture.planes[0].line_size >= picture.width
        if pixel_format == "gray" and same_size and readable:
            converted = self._read_luma(picture)
        else:
            converted = self._reformat(picture, pixel_format, width, height)
        upright = np.ascontiguousarray(self.orientation.apply(converted))
        upright.setflags(write=False)
        return upright

    def _read_luma(self, picture: DecodedPicture) -> np.ndarray:
        """Do what swscale does to a picture's brightness, in a third of the time."""
        import cv2

        kind = (picture.format.name, int(picture.color_range), int(picture.colorspace))
        if kind not in self._full_ranges:
            self._full_ranges[kind] = self._find_full_range(picture)
        plane: Any = picture.planes[0]  # a buffer, which its types do not say
        luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        return cv2.LUT(luma[: picture.height, : picture.width], self._full_ranges[kind])

    def _find_full_range(self, picture: DecodedPicture) -> np.ndarray:
        """Ask swscale what it makes of each brightness in pictures of such a kind, uint8 [256]."""
        ramp = DecodedPicture(256, 2, picture.format.name)
        ramp.color_range, ramp.colorspace = picture.color_range, picture.colorspace
        plane = ramp.planes[0]
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, :256] = np.arange(256)
        plane.update(rows.tobytes())
        return self._reformat(ramp, "gray", ramp.width, ramp.height)[0].copy()

    def _reformat(
        self, picture: DecodedPicture, pixel_format: str, width: int, height: int
    ) -> np.ndarray:
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
        return converted.to_ndarray()


def black_picture(width: int, height: int) -> "Picture":
    """A picture to show where there is none, in the size of the others."""
    black = DecodedPicture.from_ndarray(np.zeros((height, width), np.uint8), format="gray")
    return Picture(black, PictureConverter(width, height, Orientation()))


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
