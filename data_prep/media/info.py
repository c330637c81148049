"""What a media file holds, without decoding more than its first picture."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from data_prep.media.container import (
    choose_audio,
    choose_video,
    clock_start_s,
    container_duration_s,
    open_media,
    plausible_end_s,
)
from data_prep.media.orientation import (
    Orientation,
    checked_pixel_aspect,
    display_size,
    read_orientation,
)
from data_prep.media.packets import decode_first_picture, find_ends_s, timestamp
from data_prep.media.tracks import Track, list_tracks

ROUNDED_S = 0.1  # padding of the last frame of sound, and the like


@dataclass(frozen=True)
class VideoInfo:
    """The moving pictures of a file.

    Attributes:
        codec: FFmpeg's name of the decoder.
        width: Width of the picture as it is shown: upright, with square pixels.
        height: Height of the picture as it is shown.
        coded_width: Width in the stream.
        coded_height: Height in the stream.
        rate_hz: Average pictures per second, or None.
        rotation_degrees: Turn counterclockwise that makes it upright: 0, 90, 180 or 270.
        mirrored: Whether it is mirrored left to right after that turn.
        pixel_aspect: Width of a coded pixel by its height.
        start_s: Time of the first picture on the media clock; above 0 where sound comes first.
        duration_s: Its own length, or None; what the stream states where that is true to 0.1 s, or
            was not measured.
    """

    codec: str
    width: int
    height: int
    coded_width: int
    coded_height: int
    rate_hz: float | None
    rotation_degrees: int
    mirrored: bool
    pixel_aspect: float
    start_s: float
    duration_s: float | None


@dataclass(frozen=True)
class AudioInfo:
    """The sound of a file.

    Attributes:
        codec: FFmpeg's name of the decoder.
        rate_hz: Samples per second.
        channels: Number of channels.
        start_s: Time of the first sample on the media clock; above 0 where pictures come first.
        duration_s: Its own length, or None; what the stream states where that is true to 0.1 s, or
            was not measured.
    """

    codec: str
    rate_hz: int
    channels: int
    start_s: float
    duration_s: float | None


@dataclass(frozen=True)
class MediaInfo:
    """A media file.

    Attributes:
        path: Where it is.
        container: FFmpeg's name of its format.
        duration_s: When its last sound or picture ends on the media clock; None if not known. What
            the container states where that is true to 0.1 s, or was not measured.
        stated_duration_s: Duration that the container states, or None: a header that may be a
            guess (a VBR .mp3), or from before the file was cut.
        start_s: Time 0 of the media clock on the container's own, or None where that has no times.
        video: Its video, or None; a cover picture is not video.
        audio: The sound that is read where no other track is asked for, or None.
        tracks: All its tracks of sound and pictures.
    """

    path: Path
    container: str
    duration_s: float | None
    stated_duration_s: float | None
    start_s: float | None
    video: VideoInfo | None
    audio: AudioInfo | None
    tracks: tuple[Track, ...] = ()


def probe(path: str | Path, measure: bool = True) -> MediaInfo:
    """Look at a media file.

    Args:
        path: A local file.
        measure: Read all of the file, without decoding it, for its true length; False believes
            the header.

    Returns:
        What it holds.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a folder.
        ValueError: It is not media, or has neither audio nor video.
    """
    with open_media(path) as container:
        video, audio = choose_video(container), choose_audio(container)
        if video is None and audio is None:
            raise ValueError(
                f"{path} has neither audio nor video that can be decoded (format "
                f"{container.format.name}); expected a media file. Check that it plays."
            )
        origin_s, stated_s = clock_start_s(container), container_duration_s(container)
        info = MediaInfo(
            path=Path(path),
            container=container.format.name,
            duration_s=stated_s,
            stated_duration_s=stated_s,
            start_s=None if origin_s is None else float(origin_s),
            video=None if video is None else _describe_video(container, video, origin_s),
            audio=None if audio is None else _describe_audio(audio, origin_s),
            tracks=list_tracks(container),
        )
        indices = {s.index: kind for s, kind in ((video, "video"), (audio, "audio")) if s}
    return _measure(info, indices) if measure else info


def _measure(info: MediaInfo, indices: dict[int, str]) -> MediaInfo:
    """Put true lengths in place of stated ones that are not."""
    with open_media(info.path) as container:
        origin_s = clock_start_s(container) or Fraction(0)
        ends = find_ends_s(container, plausible_end_s(container) + float(origin_s))
    for index, kind in indices.items():
        part = getattr(info, kind)
        if index in ends:
            length_s = float(ends[index] - origin_s) - part.start_s
            length_s = _truer(length_s, part.duration_s)
            info = replace(info, **{kind: replace(part, duration_s=length_s)})
    if not ends:
        return info
    length_s = float(max(ends.values()) - origin_s)
    return replace(info, duration_s=_truer(length_s, info.stated_duration_s))


def _truer(measured_s: float, stated_s: float | None) -> float:
    believed = stated_s is not None and abs(measured_s - stated_s) <= ROUNDED_S
    return stated_s if stated_s is not None and believed else measured_s


def _describe_video(
    container: InputContainer, stream: VideoStream, origin_s: Fraction | None
) -> VideoInfo:
    picture = decode_first_picture(container, stream)
    orientation = Orientation() if picture is None else read_orientation(picture)
    stamp = None if picture is None else timestamp(picture)
    start = stream.start_time if stamp is None else stamp
    coded = stream.codec_context if picture is None else picture
    pixel_aspect = checked_pixel_aspect(stream.sample_aspect_ratio)
    width, height = display_size(coded.width, coded.height, pixel_aspect, orientation)
    return VideoInfo(
        codec=stream.codec_context.name,
        width=width,
        height=height,
        coded_width=coded.width,
        coded_height=coded.height,
        rate_hz=float(stream.average_rate) if stream.average_rate else None,
        rotation_degrees=orientation.rotation_degrees,
        mirrored=orientation.mirrored,
        pixel_aspect=float(pixel_aspect),
        start_s=_start_s(stream, start, origin_s),
        duration_s=_seconds(stream, stream.duration),
    )


def _describe_audio(stream: AudioStream, origin_s: Fraction | None) -> AudioInfo:
    return AudioInfo(
        codec=stream.codec_context.name,
        rate_hz=stream.codec_context.sample_rate,
        channels=stream.codec_context.layout.nb_channels,
        start_s=_start_s(stream, stream.start_time, origin_s),
        duration_s=_seconds(stream, stream.duration),
    )


def _seconds(stream: Stream, stamp: int | None) -> float | None:
    return None if stamp is None else float(stamp * (stream.time_base or Fraction(0)))


def _start_s(stream: Stream, stamp: int | None, origin_s: Fraction | None) -> float:
    if stamp is None or origin_s is None:
        return 0.0
    return float(stamp * (stream.time_base or Fraction(0)) - origin_s)
