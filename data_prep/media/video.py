"""Pictures of a file at a constant rate, by their timestamps, one after the other."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame as DecodedPicture
from av.video.stream import VideoStream

from data_prep.media.clock import LEAP_S, Timed, is_plausible, pick_nearest
from data_prep.media.container import clock_start_s, open_media, plausible_end_s, require_video
from data_prep.media.orientation import (
    checked_pixel_aspect,
    display_size,
    fit_size,
    read_orientation,
)
from data_prep.media.packets import decode_frames, timestamp
from data_prep.media.picture import Picture, PictureConverter, black_picture
from modalities.rates import VIDEO_RATE_HZ

DEFAULT_INTERVAL_S = Fraction(1, VIDEO_RATE_HZ)


@dataclass(frozen=True)
class VideoFrame:
    """What is seen at one tick of the media clock: upright, with square pixels.

    It holds the decoded picture until it is dropped, so a long file must not be kept as frames.
    Conversions are made when asked for, once, and shared by repeated frames: they are read-only.

    Attributes:
        index: Number of the tick.
        time_s: Its time on the media clock, index / rate.
        repeated: Whether the frame before shows the same source picture.
        missing: Whether the first picture is still to come; it is black then.
    """

    index: int
    time_s: float
    repeated: bool
    picture: Picture = field(repr=False, compare=False)
    missing: bool = False

    @property
    def width(self) -> int:
        """Width of the upright picture in pixels."""
        return self.picture.converter.width

    @property
    def height(self) -> int:
        """Height of the upright picture in pixels."""
        return self.picture.converter.height

    def gray(self) -> np.ndarray:
        """Brightness, uint8 [height, width], full range."""
        return self.picture.gray()

    def rgb(self) -> np.ndarray:
        """Colours, uint8 [height, width, 3]."""
        return self.picture.rgb()

    def rgb_letterbox(self, side: int) -> np.ndarray:
        """The whole picture in a black square, for a detector.

        Args:
            side: Side of the square in pixels.

        Returns:
            uint8 [side, side, 3]; `letterbox_area(width, height, side)` tells where the picture is.
        """
        return self.picture.rgb_letterbox(side)


def stream_video(
    path: str | Path, rate_hz: float = VIDEO_RATE_HZ, max_side: int | None = None
) -> Iterator[VideoFrame]:
    """Decode the pictures of a file at a constant rate.

    Args:
        path: A media file with video.
        rate_hz: Frames per second wanted.
        max_side: Longest side in pixels; larger pictures are shrunk.

    Returns:
        Frames one by one: one every 1 / rate_hz from time 0 of the media clock to the end of the
        last picture, each with the nearest picture (the earlier one in a tie); black and `missing`
        where sound begins before the first picture. All have the same size.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a folder.
        ValueError: It is not media, has no video, or none of its pictures can be decoded.
    """
    if not 0 < rate_hz < 1000:
        raise ValueError(f"rate_hz is {rate_hz}; expected frames per second between 0 and 1000.")
    if max_side is not None and max_side < 1:
        raise ValueError(f"max_side is {max_side}; expected at least 1 pixel, or None.")
    container = open_media(path)
    stream = require_video(container, path)
    return _frames(container, stream, path, Fraction(rate_hz).limit_denominator(1001), max_side)


def _frames(
    container: InputContainer,
    stream: VideoStream,
    path: str | Path,
    rate_hz: Fraction,
    max_side: int | None,
) -> Iterator[VideoFrame]:
    with container:
        stream.thread_type = "AUTO"
        timed = _prepare(
            time_pictures(decode_frames(container, stream), _read_timing(container, stream)),
            stream,
            max_side,
        )
        previous = blank = None
        for first in timed:
            converter = first.item.converter
            blank = black_picture(converter.width, converter.height)
            timed = chain([first], timed)
            break
        for index, found in enumerate(pick_nearest(timed, rate_hz)):
            picture = found or blank
            assert picture is not None
            yield VideoFrame(
                index, float(index / rate_hz), picture is previous, picture, picture is blank
            )
            previous = picture
        if previous is None:
            raise ValueError(
                f"{path}: none of its pictures ({stream.codec_context.name}) can be decoded; "
                f"expected undamaged video. Check that it plays and is complete."
            )


def _prepare(
    timed: Iterable[Timed[DecodedPicture]], stream: VideoStream, max_side: int | None
) -> Iterator[Timed[Picture]]:
    converter = None
    for source in timed:
        # Some codecs change the size on the way; whoever follows a face wants one size.
        converter = converter or _build_converter(source.item, stream, max_side)
        yield Timed(source.start_s, source.end_s, Picture(source.item, converter))


def _build_converter(
    picture: DecodedPicture, stream: VideoStream, max_side: int | None
) -> PictureConverter:
    orientation = read_orientation(picture)
    aspect = checked_pixel_aspect(stream.sample_aspect_ratio)
    width, height = display_size(picture.width, picture.height, aspect, orientation)
    if max_side is not None:
        width, height = fit_size(width, height, max_side)
    return PictureConverter(width, height, orientation)


@dataclass(frozen=True)
class Timing:
    """What the container says about the times of a video stream.

    Attributes:
        time_base: Unit of the timestamps in seconds.
        interval_s: Usual time between pictures, where a timestamp is missing or absurd.
        limit_s: Time from which on a leap of the timestamps counts as absurd.
        origin_s: Time 0 of the media clock on the container's; None: the first picture.
        end: Timestamp at which the last picture ends, or None: with reordered pictures mp4 states
            their durations in the order of decoding, and only this is right.
    """

    time_base: Fraction
    interval_s: Fraction = DEFAULT_INTERVAL_S
    limit_s: float = float("inf")
    origin_s: Fraction | None = None
    end: int | None = None


def _read_timing(container: InputContainer, stream: VideoStream) -> Timing:
    rate_hz = stream.average_rate
    known = stream.start_time is not None and stream.duration is not None
    return Timing(
        time_base=Fraction(stream.time_base or DEFAULT_INTERVAL_S),
        interval_s=1 / rate_hz if rate_hz and 1 <= rate_hz <= 1000 else DEFAULT_INTERVAL_S,
        limit_s=plausible_end_s(container),
        origin_s=clock_start_s(container),
        end=(stream.start_time or 0) + (stream.duration or 0) if known else None,
    )


def time_pictures(
    pictures: Iterable[DecodedPicture], timing: Timing
) -> Iterator[Timed[DecodedPicture]]:
    """Put pictures on the media clock.

    Args:
        pictures: Decoded pictures in the order of presentation.
        timing: What the container says.

    Yields:
        Pictures with strictly rising times, not before 0; one that repeats an earlier time is
        left out.
    """
    origin_s = timing.origin_s
    reached_s: Fraction | None = None
    for picture in pictures:
        stamp = timestamp(picture)
        start_s = None
        if stamp is not None:
            origin_s = stamp * timing.time_base if origin_s is None else origin_s
            start_s = stamp * timing.time_base - origin_s
        if reached_s is None:
            believed = start_s is not None and 0 <= start_s <= timing.limit_s
            start_s = start_s if start_s is not None and believed else Fraction(0)
        elif start_s is None or not is_plausible(start_s, reached_s, timing.limit_s):
            start_s = reached_s + timing.interval_s
        elif start_s <= reached_s:
            continue
        reached_s = start_s
        yield Timed(start_s, _find_end(start_s, picture, origin_s, timing), picture)


def _find_end(
    start_s: Fraction, picture: DecodedPicture, origin_s: Fraction | None, timing: Timing
) -> Fraction:
    end_s = start_s + (picture.duration or 0) * timing.time_base
    if end_s <= start_s or (end_s - start_s > LEAP_S and end_s > timing.limit_s):
        end_s = start_s + timing.interval_s
    if timing.end is not None and origin_s is not None:
        stated_s = timing.end * timing.time_base - origin_s
        end_s = stated_s if start_s < stated_s < end_s else end_s
    return end_s
