"""Prepared clips, read: sound and mouth crops."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.clips.manifest import Clip
from data_prep.media import read_audio, stream_video
from modalities.rates import CROP_SIDE


@dataclass(frozen=True)
class Sample:
    """A clip, read.

    Attributes:
        clip: What is known about it.
        waveform: float32 [samples], 16 kHz.
        crops: Mouth crops, uint8 [video_frames, 96, 96]; none without video.
    """

    clip: Clip
    waveform: np.ndarray
    crops: np.ndarray


def load_sample(clip: Clip, folder: str | Path) -> Sample:
    """Read the sound and the mouth of a prepared clip.

    Args:
        clip: One that `prepare` wrote to the manifest; its media may be an absolute path.
        folder: Where the manifest is; relative paths of the clip start there.

    Raises:
        FileNotFoundError: A file is not where it was.
        ValueError: It is damaged.
    """
    return Sample(clip, read_sound(clip, folder), load_crops(clip, folder))


def read_sound(clip: Clip, folder: str | Path) -> np.ndarray:
    """Read the sound track of a clip that was prepared, float32 [samples], 16 kHz.

    Args:
        clip: Its media may be an absolute path.
        folder: Where the manifest is; relative paths of the clip start there.

    Raises:
        FileNotFoundError: The file is not where it was.
        ValueError: It is damaged, or has no such track.
    """
    return read_audio(Path(folder) / clip.media, clip.audio_track)


def load_crops(clip: Clip, folder: str | Path) -> np.ndarray:
    """Read the mouth of a prepared clip, uint8 [video_frames, 96, 96]; no frames without video.

    Args:
        clip: One that `prepare` wrote to the manifest.
        folder: Where the manifest is; the path of the mouth video starts there.

    Raises:
        FileNotFoundError: The mouth video is not where it was.
        ValueError: It is damaged.
    """
    if clip.mouth is None:
        return np.zeros((0, CROP_SIDE, CROP_SIDE), np.uint8)
    return read_crops(Path(folder) / clip.mouth)


def read_crops(path: str | Path) -> np.ndarray:
    """Read a mouth video, uint8 [video_frames, 96, 96]."""
    return np.stack([frame.gray() for frame in stream_video(path)])
