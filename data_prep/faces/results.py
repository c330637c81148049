"""What the face stage hands on: pieces of mouth crops, and the tracks behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from modalities.rates import VIDEO_RATE_HZ

NO_TRACK = -1


@dataclass(frozen=True)
class MouthChunk:
    """Mouth crops of one stretch of video; chunks follow each other without a gap.

    Attributes:
        start_frame: First frame, counted at 25 Hz from the start of the video.
        crops: uint8 [frames, 96, 96]; zeros where there is none.
        mask: bool [frames], True where the crop shows the mouth of the chosen face.
        track: int32 [frames], the track it belongs to, -1 where there is none.
    """

    start_frame: int
    crops: np.ndarray
    mask: np.ndarray
    track: np.ndarray

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.mask)

    @property
    def stop_frame(self) -> int:
        """The frame after the last one."""
        return self.start_frame + self.frames


@dataclass(frozen=True)
class FaceTrack:
    """One face through one shot.

    Attributes:
        track: Its number, by first appearance.
        shot: Number of the shot it is in.
        start_frame: First frame, at 25 Hz.
        boxes: float32 [frames, 4], x, y, width, height in pixels of the pictures pushed.
        landmarks: float32 [frames, 4, 2], smoothed: right eye, left eye, nose tip, mouth centre.
        detected: bool [frames], True where the detector saw it, False where it was followed or
            interpolated.
        valid: bool [frames], True where the mouth is inside the picture.
        chosen: bool [frames], True where it was taken as the talker.
        median_score: Median score of the detector, 0 to 1.
        talking_score: Does the mouth move with the sound, 0 to 1, over all frames or, of a face
            that takes turns with others, over the speech that it was chosen for; None without
            sound.
    """

    track: int
    shot: int
    start_frame: int
    boxes: np.ndarray
    landmarks: np.ndarray
    detected: np.ndarray
    valid: np.ndarray
    chosen: np.ndarray
    median_score: float
    talking_score: float | None

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.boxes)

    @property
    def stop_frame(self) -> int:
        """The frame after the last one."""
        return self.start_frame + self.frames

    @property
    def start_s(self) -> float:
        """Start in seconds."""
        return self.start_frame / VIDEO_RATE_HZ

    @property
    def end_s(self) -> float:
        """End in seconds."""
        return self.stop_frame / VIDEO_RATE_HZ

    @property
    def talks_s(self) -> tuple[tuple[float, float], ...]:
        """Start and end in seconds of each stretch in which it was taken as the talker."""
        edges = np.flatnonzero(np.diff(np.pad(self.chosen.astype(np.int8), 1))) + self.start_frame
        times = [round(float(edge) / VIDEO_RATE_HZ, 3) for edge in edges]
        return tuple(zip(times[::2], times[1::2], strict=True))

    @property
    def median_box(self) -> np.ndarray:
        """Median of the boxes, float32 [4]."""
        return np.median(self.boxes, axis=0)


@dataclass(frozen=True)
class Totals:
    """Counts over a whole video.

    Attributes:
        frames: Frames at 25 Hz.
        shots: Shots.
        frames_looked_at: Frames that the face detector saw.
        tracks_dropped: Tracks too short or too unsure to be a face.
    """

    frames: int
    shots: int
    frames_looked_at: int
    tracks_dropped: int


class Picture(Protocol):
    """What is needed of a video frame; data_prep.media.VideoFrame is one."""

    @property
    def repeated(self) -> bool: ...  # noqa: D102

    def gray(self) -> np.ndarray: ...  # noqa: D102


class MouthSource(Protocol):
    """Turns pictures and sound into mouth crops: a FaceFinder, or ready crops of a user."""

    def push(  # noqa: D102
        self, frames: Sequence[Picture], waveform: np.ndarray | None, /
    ) -> list[MouthChunk]: ...

    def flush(self) -> list[MouthChunk]: ...  # noqa: D102

    def tracks(self) -> list[FaceTrack]: ...  # noqa: D102
