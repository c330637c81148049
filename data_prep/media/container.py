"""Opening of media files, the choice of their streams, and what the container says of time."""

import os
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

COVER = Disposition.attached_pic | Disposition.timed_thumbnails
# A damaged header can claim pictures of gigabytes; 8192 x 8192 is beyond every real camera.
MAX_PIXELS = 8192 * 8192
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


def choose_audio(container: InputContainer, audio_track: int | None = None) -> AudioStream | None:
    """Choose the sound to read.

    Args:
        container: An open file.
        audio_track: The index of a stream; None: the one that FFmpeg takes for the main one.

    Returns:
        The stream, or None where there is no such sound with a decoder.
    """
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    if audio_track is not None:
        return next((stream for stream in streams if stream.index == audio_track), None)
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


def require_audio(
    container: InputContainer, path: str | Path, audio_track: int | None = None
) -> AudioStream:
    """The audio stream, or a ValueError that tells what the file has instead."""
    stream = choose_audio(container, audio_track)
    if stream is None and choose_audio(container) is not None:
        known = " or ".join(str(s.index) for s in container.streams.audio if s.codec_context)
        raise ValueError(
            f"{path} has no sound track {audio_track}; expected {known}. See `mcgurk probe`."
        )
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


def clock_start_s(container: InputContainer) -> Fraction | None:
    """Time 0 of the media clock on the container's own: its stated start, as players take it.

    That is where the first of its sound and pictures begins; what an encoder put in front of the
    sound (priming) and what an edit list cuts off does not count.

    Returns:
        Seconds, exact where the start is that of a stream (the container rounds to a microsecond);
        None where the container has no times.
    """
    if container.start_time is None:
        return None
    stated = Fraction(container.start_time, av.time_base)
    starts = [
        stream.start_time * stream.time_base
        for stream in container.streams
        if stream.start_time is not None and stream.time_base
    ]
    return min((s for s in starts if abs(s - stated) * av.time_base <= 1), default=stated)


def container_duration_s(container: InputContainer) -> float | None:
    """Duration that the container states, or None."""
    duration = container.duration
    return duration / av.time_base if duration is not None and duration > 0 else None


def plausible_end_s(container: InputContainer) -> float:
    """Time on the media clock after which a leap of the timestamps is taken for damage."""
    by_size = max(MIN_LIMIT_S, container.size / MIN_BYTES_PER_SECOND)
    duration_s = container_duration_s(container)
    return by_size if duration_s is None else min(by_size, duration_s + 1.0)
