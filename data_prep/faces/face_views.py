"""Give each frame of a second pass its faces again, so that no picture need be stored."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from data_prep.faces.results import FaceTrack

Frame = TypeVar("Frame")


@dataclass(frozen=True)
class FaceView:
    """One face in one frame.

    Attributes:
        track: Number of its track.
        box: float32 [4], x, y, width, height.
        landmarks: float32 [4, 2], smoothed; `crop_mouth` takes them.
        valid: The mouth is inside the picture.
        chosen: It is taken as the talker here.
    """

    track: int
    box: np.ndarray
    landmarks: np.ndarray
    valid: bool
    chosen: bool


def replay(
    tracks: Sequence[FaceTrack], frames: Iterable[Frame]
) -> Iterator[tuple[Frame, list[FaceView]]]:
    """Go through the video again with what was found in it.

    Args:
        tracks: All tracks of the first pass.
        frames: The video of the first pass once more, from its first frame on and in that size.

    Yields:
        Each frame and the faces in it.
    """
    waiting = sorted(tracks, key=lambda track: track.start_frame, reverse=True)
    present: list[FaceTrack] = []
    for index, frame in enumerate(frames):
        while waiting and waiting[-1].start_frame <= index:
            present.append(waiting.pop())
        present = [track for track in present if track.stop_frame > index]
        yield frame, [_view(track, index - track.start_frame) for track in present]


def _view(track: FaceTrack, position: int) -> FaceView:
    return FaceView(
        track.track,
        track.boxes[position],
        track.landmarks[position],
        bool(track.valid[position]),
        bool(track.chosen[position]),
    )
