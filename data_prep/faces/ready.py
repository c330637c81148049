"""Mouths that need no detector: a ready mouth video, a landmark file or a fixed box."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from data_prep.faces.crops import crop_mouth, is_inside, warp
from data_prep.faces.landmark_file import reduce_landmarks
from data_prep.faces.landmarks import fill, smooth
from data_prep.faces.results import NO_TRACK, FaceTrack, MouthChunk, Picture
from modalities.rates import CROP_SIDE

PIECE_FRAMES = 750
# A container's length is rounded; so many frames may be missing at the end of a landmark file.
SPARE_FRAMES = 2

Cut = Callable[[int, np.ndarray], np.ndarray | None]


class ReadyMouths:
    """Crops that follow from the picture and its number alone; used like a FaceFinder.

    Args:
        cut: From frame number and picture, uint8 [height, width], to the crop, uint8 [96, 96], or
            None where there is no mouth.
        faces: What `tracks` gives.
    """

    def __init__(self, cut: Cut, faces: Sequence[FaceTrack] = ()):
        self._cut = cut
        self._faces = list(faces)
        self._next = 0

    def push(
        self, frames: Sequence[Picture], waveform: np.ndarray | None = None
    ) -> list[MouthChunk]:
        """Crop the next frames; the sound is not needed."""
        starts = range(0, len(frames), PIECE_FRAMES)
        return [self._crop(frames[start : start + PIECE_FRAMES]) for start in starts]

    def flush(self) -> list[MouthChunk]:
        """Nothing is ever held back."""
        return []

    def tracks(self) -> list[FaceTrack]:
        """The face of a landmark file; else none."""
        return self._faces

    def _crop(self, frames: Sequence[Picture]) -> MouthChunk:
        start = self._next
        self._next += len(frames)
        crops = np.zeros((len(frames), CROP_SIDE, CROP_SIDE), np.uint8)
        mask = np.zeros(len(frames), bool)
        for position, frame in enumerate(frames):
            crop = self._cut(start + position, frame.gray())
            if crop is not None:
                crops[position], mask[position] = crop, True
        return MouthChunk(start, crops, mask, np.where(mask, 0, NO_TRACK).astype(np.int32))


def use_mouth_video() -> ReadyMouths:
    """Take the pictures themselves as mouths: the largest square in the middle, in 96x96."""
    return ReadyMouths(lambda index, gray: _resize(_middle_square(gray)))


def use_box(box: Sequence[float]) -> ReadyMouths:
    """Cut the same square out of each picture.

    Args:
        box: x, y, width, height in pixels of the pictures pushed, around the mouth; made square by
            its longer side.

    Returns:
        A source of crops; pushing a picture that does not hold the middle of the box raises
        ValueError.

    Raises:
        ValueError: It is not four numbers, or has no area.
    """
    values = np.asarray(box, np.float64)
    if values.shape != (4,) or not np.isfinite(values).all() or min(values[2:]) <= 0:
        raise ValueError(f"Box is {list(box)}; expected x, y, width, height with an area.")
    scale = CROP_SIDE / max(values[2:])
    centre = values[:2] + values[2:] / 2
    # Pixel centres: pixel p covers p to p + 1 of the box.
    shift = CROP_SIDE / 2 - 0.5 - scale * (centre - 0.5)
    transform = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])

    def cut(index: int, gray: np.ndarray) -> np.ndarray:
        height, width = gray.shape
        if not (0 <= centre[0] <= width and 0 <= centre[1] <= height):
            raise ValueError(
                f"Box {list(box)} has its middle outside the picture of {width} x {height} pixels; "
                "give x, y, width, height in pixels of the video."
            )
        return warp(gray, transform, CROP_SIDE)

    return ReadyMouths(cut)


def use_landmarks(landmarks: np.ndarray) -> ReadyMouths:
    """Crop by landmarks that the user brings.

    Args:
        landmarks: [frames, 4, 2] (right eye, left eye, nose, mouth) or [frames, 68, 2] (dlib), one
            row per frame at 25 Hz, in pixels of the pictures pushed; NaN where there is no face.
            Gaps of up to 1 s are interpolated, and shapes smoothed, as for detected faces.

    Returns:
        A source of crops; pushing more frames than there are rows (but two) raises ValueError.

    Raises:
        ValueError: Wrong shape.
    """
    points = reduce_landmarks(landmarks)
    filled, known = fill(points)
    for run in _runs(filled, known):
        filled[run] = smooth(filled[run])

    def cut(index: int, gray: np.ndarray) -> np.ndarray | None:
        if index >= len(filled) + SPARE_FRAMES:
            raise ValueError(
                f"There are landmarks for {len(filled)} frames, but the video has more; expected "
                "one row per frame at 25 Hz. Resample them, or check that they are of this video."
            )
        if index >= len(filled) or not known[index] or not is_inside(filled[index], *gray.shape):
            return None
        return crop_mouth(gray, filled[index])

    return ReadyMouths(cut, _as_tracks(points, filled, known))


def _runs(landmarks: np.ndarray, known: np.ndarray) -> list[slice]:
    """Stretches of known frames in which the face does not leap (as it does at a cut)."""
    eyes = np.linalg.norm(landmarks[:, 1] - landmarks[:, 0], axis=1)
    step = np.linalg.norm(np.diff(landmarks.mean(axis=1), axis=0), axis=1)
    breaks = (step > 0.5 * eyes[1:]) | (known[1:] != known[:-1])
    edges = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(landmarks)]
    pairs = zip(edges, edges[1:], strict=False)
    return [slice(first, last) for first, last in pairs if first < last and known[first]]


def _as_tracks(points: np.ndarray, filled: np.ndarray, known: np.ndarray) -> list[FaceTrack]:
    frames = np.flatnonzero(known)
    if len(frames) == 0:
        return []
    span = slice(frames[0], frames[-1] + 1)
    landmarks = filled[span].astype(np.float32)
    corner = landmarks.min(axis=1)
    size = landmarks.max(axis=1) - corner
    boxes = np.concatenate([corner - size / 2, 2 * size], axis=1)
    detected = np.asarray(~np.isnan(points[span]).any(axis=(1, 2)))
    valid = known[span]
    return [FaceTrack(0, 0, int(frames[0]), boxes, landmarks, detected, valid, valid, 1.0, None)]


def _middle_square(gray: np.ndarray) -> np.ndarray:
    height, width = gray.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return gray[top : top + side, left : left + side]


def _resize(gray: np.ndarray) -> np.ndarray:
    smaller = gray.shape[0] > CROP_SIDE
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(gray, (CROP_SIDE, CROP_SIDE), interpolation=method)
