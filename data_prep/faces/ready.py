"""Mouths that need no detector: a ready mouth video, a landmark file or a fixed box."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from data_prep.faces.crops import crop_mouth, is_inside, warp
from data_prep.faces.landmark_file import reduce_landmarks
from data_prep.faces.landmarks import fill, smooth
from data_prep.faces.plausibility import Size, check_box, check_landmarks, refuse_factors
from data_prep.faces.results import NO_TRACK, FaceTrack, MouthChunk, Picture
from data_prep.faces.sampling import Detector, load_default_detector
from data_prep.faces.seen_faces import find_factors, refuse_whole_faces
from modalities.rates import CROP_SIDE

PIECE_FRAMES = 750
# A container's length is rounded; so many frames may be missing at the end of a landmark file.
SPARE_FRAMES = 2
BLACK = 16  # grey levels; what `write_mouth_video` writes where no mouth is seen stays below
LONGER = 1.1  # so many rows a frame pass: a video may be cut short; 30 Hz for 25 is 1.2

Cut = Callable[[int, np.ndarray], np.ndarray | None]
Check = Callable[[int, list[np.ndarray]], None]


class ReadyMouths:
    """Crops that follow from the picture and its number alone; used like a FaceFinder.

    Args:
        cut: From frame number and picture, uint8 [height, width], to the crop, uint8 [96, 96], or
            None where there is no mouth.
        faces: Gives what `tracks` does.
        check: Called with the number of the first and the pictures of each piece before they are
            cut, and at the end with the number of pictures and none; it raises where what was given
            does not fit them.
    """

    def __init__(
        self,
        cut: Cut,
        faces: Callable[[], list[FaceTrack]] = list,
        check: Check = lambda start, grays: None,
    ):
        self._cut = cut
        self._faces = faces
        self._check = check
        self._next = 0

    def push(
        self, frames: Sequence[Picture], waveform: np.ndarray | None = None
    ) -> list[MouthChunk]:
        """Crop the next frames; the sound is not needed."""
        starts = range(0, len(frames), PIECE_FRAMES)
        return [self._crop(frames[start : start + PIECE_FRAMES]) for start in starts]

    def flush(self) -> list[MouthChunk]:
        """Nothing is ever held back; the number of pictures is now known."""
        self._check(self._next, [])
        return []

    def tracks(self) -> list[FaceTrack]:
        """The face of a landmark file; else none."""
        return self._faces()

    def _crop(self, frames: Sequence[Picture]) -> MouthChunk:
        start = self._next
        self._next += len(frames)
        crops = np.zeros((len(frames), CROP_SIDE, CROP_SIDE), np.uint8)
        mask = np.zeros(len(frames), bool)
        grays = [frame.gray() for frame in frames]
        self._check(start, grays)
        for position, gray in enumerate(grays):
            crop = self._cut(start + position, gray)
            if crop is not None:
                crops[position], mask[position] = crop, True
        return MouthChunk(start, crops, mask, np.where(mask, 0, NO_TRACK).astype(np.int32))


def use_mouth_video(detector: Detector | None = None) -> ReadyMouths:
    """Take the pictures themselves as mouths: the largest square in the middle, in 96x96.

    Args:
        detector: Looks at some of the first pictures whether they show whole faces; by default the
            full-range BlazeFace on the CPU.

    Returns:
        A source of crops: none where a picture is black. Pushing pictures of whole faces raises
        ValueError.
    """
    looked: list[bool] = []

    def check(start: int, grays: list[np.ndarray]) -> None:
        shown = [gray for gray in grays if gray.max() > BLACK]
        if shown and not looked:
            looked.append(True)
            refuse_whole_faces(shown, detector or load_default_detector())

    def cut(index: int, gray: np.ndarray) -> np.ndarray | None:
        return _resize(_middle_square(gray)) if gray.max() > BLACK else None

    return ReadyMouths(cut, check=check)


def use_box(box: Sequence[float]) -> ReadyMouths:
    """Cut the same square out of each picture.

    Args:
        box: x, y, width, height in pixels of the pictures pushed, around the mouth; made square by
            its longer side.

    Returns:
        A source of crops; pushing a first picture in which the box cannot be a mouth raises
        ValueError: its middle is outside, or the numbers are fractions or two corners.

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

    def check(start: int, grays: list[np.ndarray]) -> None:
        for gray in grays[:1]:
            check_box(values.tolist(), Size(*gray.shape[::-1]))

    return ReadyMouths(lambda index, gray: warp(gray, transform, CROP_SIDE), check=check)


def use_landmarks(
    landmarks: np.ndarray, detector: Detector | None = None, scale: float = 1.0
) -> ReadyMouths:
    """Crop by landmarks that the user brings.

    Args:
        landmarks: [frames, 4, 2] (right eye, left eye, nose, mouth) or [frames, 68, 2] (dlib), one
            row per frame at 25 Hz, in pixels of the video; NaN where there is no face.
            Gaps of up to 1 s are interpolated, and shapes smoothed, as for detected faces.
        detector: Looks at some of the first pictures whether a face is where the landmarks are; by
            default the full-range BlazeFace on the CPU.
        scale: Pixels of the video per pixel of the pictures that will be pushed.

    Returns:
        A source of crops. Pushing a first picture in which most rows cannot be a face, or first
        pictures with faces on which they lie only when scaled, raises ValueError, which says what
        they look like. So does pushing more frames than there are rows (but two), or at the end
        far fewer. The few rows that cannot be a face among good ones count as missing.

    Raises:
        ValueError: Wrong shape.
    """
    face = _GivenFace(reduce_landmarks(landmarks), detector, scale)
    return ReadyMouths(face.cut, face.tracks, face.check)


class _GivenFace:
    """A face by the landmarks of each frame, which are checked against the first picture.

    Args:
        points: [frames, 4, 2] in pixels of the video, NaN where missing.
        detector: Finds faces; None for the default one.
        scale: Pixels of the video per pixel of the pictures.
    """

    def __init__(self, points: np.ndarray, detector: Detector | None, scale: float):
        self.points = points
        self.scale = scale
        self.detector = detector
        self.filled = points
        self.known = np.zeros(len(points), bool)
        self.looked = False

    def cut(self, index: int, gray: np.ndarray) -> np.ndarray | None:
        """Crop the mouth out of a frame."""
        if index >= len(self.points) + SPARE_FRAMES:
            self._refuse_length("more")
        if index >= len(self.points) or not self.known[index]:
            return None
        if not is_inside(self.filled[index], *gray.shape):
            return None
        return crop_mouth(gray, self.filled[index])

    def check(self, start: int, grays: list[np.ndarray]) -> None:
        """Compare with the pictures, see `ReadyMouths`."""
        if not grays:
            if 0 < LONGER * start + SPARE_FRAMES < len(self.points):
                self._refuse_length(f"{start}")
            return
        height, width = grays[0].shape
        size = Size(round(width * self.scale), round(height * self.scale))
        if start == 0:
            good = check_landmarks(self.points, size)
            self.points = np.where(good[:, None, None], self.points, np.nan) / self.scale
            self.filled, self.known = fill(self.points)
            for run in _runs(self.filled, self.known):
                self.filled[run] = smooth(self.filled[run])
        here = start + np.flatnonzero(self.known[start : start + len(grays)])
        if self.looked or len(here) == 0:
            return
        self.looked = True
        self.detector = self.detector or load_default_detector()
        pictures = [grays[index - start] for index in here]
        factors = find_factors(self.filled[here], pictures, self.detector)
        if factors is not None:
            refuse_factors(factors, size)

    def _refuse_length(self, frames: str) -> None:
        raise ValueError(
            f"There are landmarks for {len(self.points)} frames, but the video has {frames}; "
            "expected one row per frame at 25 Hz. Resample them, or check that they are of "
            "this video."
        )

    def tracks(self) -> list[FaceTrack]:
        """The face; none before a picture has been seen."""
        return _as_tracks(self.points, self.filled, self.known)


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
