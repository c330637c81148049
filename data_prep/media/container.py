"""Opening of media files, the choice of their streams, and decoding that survives damage."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame as DecodedPicture
from av.video.stream import VideoStream

COVER = Disposition.attached_pic | Disposition.timed_thumbnails
# A damaged header can claim pictures of gigabytes; 8192 x 8192 is beyond every real camera.
MAX_PIXELS = 8192 * 8192
# Reading goes on after a damaged place, but not for ever where nothing but errors follows.
MAX_READ_FAILURES = 64
MAX_PACKETS_BEFORE_PICTURE = 500
# A recording cut out of a broadcast starts amid pictures that need one from before the cut.
MAX_UNDECODABLE_START_S = 10
# Fewer bytes a second than this have no meaning: timestamps beyond it come from damage.
MIN_BYTES_PER_SECOND = 250
MIN_LIMIT_S = 60.0


def open_media(path: str | Path) -> InputContainer:
    """Open a file for decoding.

    Args:
        path: A local media file in any container that FFmpeg reads.

    Returns:
        The open container; close it after use.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a folder.
        PermissionError: It may not be read.
        ValueError: It is empty, no regular file or not media.
    """
    path = Path(path)
    _check_file(path)
    try:
        # "file:" keeps FFmpeg from taking a colon in a name for a protocol.
        return av.open(
            f"file:{path}",
            mode="r",
            metadata_errors="replace",
            options={"protocol_whitelist": "file"},
        )
    except (av.FFmpegError, ValueError, RuntimeError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"{path} cannot be read as media ({reason}); expected an undamaged audio or video "
            f"file. Check that it plays and is complete."
        ) from error


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected a media file. Name a file in it.")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; expected a media file. Check the path.")
    if not path.is_file():
        raise ValueError(f"{path} is not a regular file; expected a media file on disk.")
    if not os.access(path, os.R_OK):
        raise PermissionError(f"{path} may not be read; expected read permission. Change its mode.")
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty (0 bytes); expected a media file. Copy it again.")


def choose_video(container: InputContainer) -> VideoStream | None:
    """The moving pictures of a file: never a cover picture, never a stream without decoder."""
    streams = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & COVER
    ]
    best = container.streams.best("video")
    return next((stream for stream in streams if stream is best), streams[0] if streams else None)


def choose_audio(container: InputContainer) -> AudioStream | None:
    """The sound of a file that FFmpeg takes for the main one, if there is a decoder."""
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    best = container.streams.best("audio")
    return next((stream for stream in streams if stream is best), streams[0] if streams else None)


def require_video(container: InputContainer, path: str | Path) -> VideoStream:
    """The video stream, or a ValueError that tells what the file has instead."""
    stream = choose_video(container)
    if stream is None:
        raise ValueError(
            f"{path} has no video ({_describe_streams(container)}); expected moving pictures. "
            f"Use it as audio alone or give another file."
        )
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    return stream


def require_audio(container: InputContainer, path: str | Path) -> AudioStream:
    """The audio stream, or a ValueError that tells what the file has instead."""
    stream = choose_audio(container)
    if stream is None:
        raise ValueError(
            f"{path} has no audio that can be decoded ({_describe_streams(container)}); expected "
            f"an audio stream. Give a file with sound."
        )
    return stream


def _describe_streams(container: InputContainer) -> str:
    names = []
    for stream in container.streams:
        context = getattr(stream, "codec_context", None)
        names.append(f"{stream.type} {context.name if context else 'without decoder'}")
    return "it holds " + ", ".join(names) if names else "it holds no streams"


def decode_frames(container: InputContainer, stream: AudioStream | VideoStream) -> Iterator[Any]:
    """Decode a stream from its beginning, in the order of presentation.

    Packets that cannot be decoded or read are left out: a damaged file gives what is whole.

    Args:
        container: An open container, not read yet.
        stream: One of its streams.

    Yields:
        Audio frames or pictures of PyAV.
    """
    for packet in _read_packets(container, stream):
        yield from _decode_packet(packet)


def _decode_packet(packet: Packet) -> list[Any]:
    try:
        return packet.decode()
    except (av.FFmpegError, ValueError, RuntimeError):
        return []


def _read_packets(container: InputContainer, stream: AudioStream | VideoStream) -> Iterator[Packet]:
    failures = 0
    while failures < MAX_READ_FAILURES:
        try:
            for packet in container.demux(stream):  # pyright: ignore[reportCallIssue, reportArgumentType]
                failures = 0
                yield packet
            return
        except (av.FFmpegError, IndexError):  # IndexError: a stream that came up on the way
            failures += 1
    flush = Packet()
    flush.stream = stream
    yield flush


def decode_first_picture(container: InputContainer, stream: VideoStream) -> DecodedPicture | None:
    """Decode the first picture of a stream, or None where there is none near its beginning."""
    for packet in islice(_read_packets(container, stream), MAX_PACKETS_BEFORE_PICTURE):
        for picture in _decode_packet(packet):
            return picture
    return None


def timestamp(frame: Any) -> int | None:
    """Presentation time in units of the stream's time base; AVI has decoding times only."""
    return frame.pts if frame.pts is not None else frame.dts


def clock_start(stream: VideoStream, first: int) -> int:
    """Timestamp of time 0 of the media clock, in units of the stream's time base.

    Args:
        stream: The video stream.
        first: Timestamp of its first decoded picture.

    Returns:
        The first picture's time; where pictures before it cannot be decoded, theirs, or the sound
        that goes with them would be lost.
    """
    start = stream.start_time
    if start is None or not 0 < (first - start) * (stream.time_base or 0) < MAX_UNDECODABLE_START_S:
        return first
    return start


def container_duration_s(container: InputContainer) -> float | None:
    """Duration that the container states, or None."""
    duration = container.duration
    return duration / av.time_base if duration is not None and duration > 0 else None


def plausible_end_s(container: InputContainer) -> float:
    """Time on the media clock after which a leap of the timestamps is taken for damage."""
    by_size = max(MIN_LIMIT_S, container.size / MIN_BYTES_PER_SECOND)
    duration_s = container_duration_s(container)
    return by_size if duration_s is None else min(by_size, duration_s + 1.0)
