"""The inputs of the pipeline: a media file, a waveform, or waveforms still arriving."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch

from data_prep.media import VideoFrame, check_waveform, probe, stream_audio, stream_video
from data_prep.media.picture import Orientation, Picture, PictureConverter

Source = str | Path | np.ndarray | torch.Tensor | Iterable[np.ndarray]
VIDEO_RATE_HZ = 25
ANALYSIS_SIDE = 1280  # faces in larger pictures are looked for at this size
BLOCK_S = 1.0
RATE_HZ = 16_000


@dataclass(frozen=True)
class Input:
    """Sound and pictures on one clock.

    Attributes:
        blocks: Opens the sound: waveforms [samples] at 16 kHz, one after the other.
        frames: Opens the pictures, 25 per second.
        has_video: Whether there are pictures.
        duration_s: None where it is not known beforehand.
        scale: Source pixels per pixel of the pictures.
    """

    blocks: Callable[[], Iterator[np.ndarray]]
    frames: Callable[[], Iterator[VideoFrame]]
    has_video: bool
    duration_s: float | None
    scale: float = 1.0


def open_input(source: Source, video: np.ndarray | None = None) -> Input:
    """Find out what was given, and check it.

    Args:
        source: A path, a waveform [samples] at 16 kHz, or an iterable of such waveforms.
        video: Pictures of a waveform: [frames, height, width, 3] or [frames, height, width] uint8.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Without sound, not decodable, or of the wrong shape or type.
    """
    if isinstance(source, str | Path):
        if video is not None:
            raise ValueError(
                f"Pictures were given beside the file {source}; expected them with a waveform. "
                "Leave them out: the file's own video is read."
            )
        return _open_file(source)
    if isinstance(source, torch.Tensor):
        source = source.detach().cpu().numpy()
    if isinstance(source, np.ndarray):
        waveform = check_waveform(source)
        pictures = None if video is None else _check_pictures(video)
        return Input(
            blocks=lambda: _cut(waveform),
            frames=lambda: iter(()) if pictures is None else _frames_of(pictures),
            has_video=pictures is not None,
            duration_s=len(waveform) / RATE_HZ,
        )
    blocks = (check_waveform(block) for block in source)
    return Input(lambda: blocks, lambda: iter(()), has_video=False, duration_s=None)


def _open_file(path: str | Path) -> Input:
    info = probe(path)
    if info.audio is None:
        raise ValueError(
            f"{path} holds video without sound; expected a sound track to transcribe. "
            "Give a file with sound, or the sound as a file of its own."
        )
    longest = max(info.video.width, info.video.height) if info.video else 1
    return Input(
        blocks=lambda: stream_audio(path, block_s=BLOCK_S),
        frames=lambda: stream_video(path, rate_hz=VIDEO_RATE_HZ, max_side=ANALYSIS_SIDE),
        has_video=info.video is not None,
        duration_s=info.duration_s,
        scale=max(1.0, longest / ANALYSIS_SIDE),
    )


def _cut(waveform: np.ndarray) -> Iterator[np.ndarray]:
    step = round(BLOCK_S * RATE_HZ)
    for start in range(0, len(waveform), step):
        yield waveform[start : start + step]


def _frames_of(pictures: np.ndarray) -> Iterator[VideoFrame]:
    height, width = pictures.shape[1:3]
    converter = PictureConverter(width, height, Orientation())
    layout = "gray" if pictures.ndim == 3 else "rgb24"
    for index, picture in enumerate(pictures):
        repeated = index > 0 and np.array_equal(picture, pictures[index - 1])
        decoded = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=layout)
        yield VideoFrame(index, index / VIDEO_RATE_HZ, repeated, Picture(decoded, converter))


def _check_pictures(video: np.ndarray) -> np.ndarray:
    good = video.ndim in (3, 4) and (video.ndim == 3 or video.shape[-1] == 3)
    if video.dtype != np.uint8 or not good:
        raise ValueError(
            f"Pictures are {video.dtype} {tuple(video.shape)}; expected uint8 "
            "[frames, height, width, 3] RGB or [frames, height, width] grey."
        )
    return video
