"""What a row of mixtures names, read from its files."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from data_prep.masks.images import read_image
from data_prep.media.audio import read_audio
from data_prep.media.info import probe
from data_prep.media.video import stream_video
from data_prep.mixtures.manifest import MixedSound
from data_prep.mixtures.pictures import Describe, choose_second, score_seconds
from modalities.rates import RATE_HZ

HALF_TICK_S = 0.02  # of the media clock


def load_sound(row: MixedSound) -> np.ndarray:
    """Read the sound of a row, float32 [samples], 16 kHz.

    Args:
        row: One with absolute paths, as `read_mixtures` returns.

    Raises:
        FileNotFoundError: The recording is not there.
        ValueError: It has no sound that can be decoded, or ends before the row begins.
    """
    end = None if row.end_s is None else round(row.end_s * RATE_HZ)
    waveform = read_audio(row.media)[round(row.start_s * RATE_HZ) : end]
    if not len(waveform):
        raise ValueError(
            f"{row.media} ends before {row.start_s} s, where {row.id} begins; expected a longer "
            "recording. Is it cut to the clip already?"
        )
    return waveform


def load_sources(row: MixedSound) -> list[np.ndarray]:
    """Read the known sources of a row, float32 [samples] each, 16 kHz; they sum to its sound.

    Args:
        row: One with absolute paths, as `read_mixtures` returns.

    Raises:
        FileNotFoundError: A source is not there.
        ValueError: One has no sound that can be decoded.
    """
    return [read_audio(source.media) for source in row.sources]


def load_picture(row: MixedSound) -> np.ndarray:
    """Read the picture of a row: its file, else the video where the row says, else in its middle.

    Args:
        row: One with absolute paths, as `read_mixtures` returns.

    Returns:
        float32 [height, width, 3], RGB, 0 to 1.

    Raises:
        FileNotFoundError: The file is not there.
        ValueError: It is no picture, or the recording has none.
    """
    if row.picture:
        return read_image(row.picture).values
    time_s = row.picture_s
    if time_s is None:
        end_s = row.end_s if row.end_s is not None else probe(row.media).duration_s or 0.0
        time_s = (row.start_s + end_s) / 2
    return take_picture(row.media, time_s)


def take_picture(path: str, time_s: float) -> np.ndarray:
    """Return what a video shows at a time, float32 [height, width, 3], RGB, 0 to 1.

    Args:
        path: A video.
        time_s: Seconds of the media clock, 0 or more; up to a second after the last picture it is
            the last one.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no pictures, or ends before.
    """
    last = None
    for last in stream_video(path):
        if last.time_s >= time_s - HALF_TICK_S:
            break
    if last is None or last.time_s < time_s - 1:
        raise ValueError(
            f"{path} has no picture at {time_s:.2f} s; expected a longer video. Is it the right "
            "file?"
        )
    return last.rgb().astype(np.float32) / 255


def stream_seconds(row: MixedSound) -> Iterator[tuple[float, np.ndarray, np.ndarray]]:
    """Yield the seconds of a row's video, as `pictures.score_seconds` compares them.

    Args:
        row: One with absolute paths, as `read_mixtures` returns.

    Yields:
        When its middle is, in seconds of the media clock, the picture there, float32 [height,
        width, 3], RGB, 0 to 1, and its sound, float32 [16000]; a last part of a second is left off.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no pictures or no sound, or ends before the row begins.
    """
    waveform = load_sound(row)
    for frame in stream_video(row.media, 2.0):  # every other one is in the middle of a second
        second = round(frame.time_s - 0.5 - row.start_s)
        sound = waveform[max(0, second) * RATE_HZ : (second + 1) * RATE_HZ]
        if frame.index % 2 and second >= 0 and len(sound) == RATE_HZ:
            yield frame.time_s, frame.rgb().astype(np.float32) / 255, sound


def choose_picture(row: MixedSound, see: Describe, hear: Describe) -> MixedSound:
    """Return a row with the time at which most of what is heard is seen, as two models find it.

    Args:
        row: A video of seconds, not hours: all its pictures are kept at once. With absolute paths,
            as `read_mixtures` returns.
        see: How well pictures fit labels, see `pictures.score_seconds`.
        hear: How well sounds fit labels, see `pictures.score_seconds`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no pictures or no sound, or is shorter than a second.
    """
    seconds = list(stream_seconds(row))
    if not seconds:
        raise ValueError(
            f"{row.media} has no whole second from {row.start_s} s on; expected a longer video."
        )
    times, pictures, sounds = zip(*seconds, strict=True)
    second = choose_second(score_seconds(pictures, sounds, row.labels, see, hear))
    assert second is not None  # no score is 0
    return replace(row, picture_s=times[int(second)])
