"""Follow faces from one look of the detector to the next by optical flow."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.faces.tracks import Detection

SIDE = 320  # longest side of the pictures that faces are followed in
UPPER = ((0.1, 0.9), (0.0, 0.65))  # columns and rows of the box; lips move by themselves
AROUND = 0.75  # face widths on each side in which the next position is looked for
LEAST_FACE = 12.0  # pixels of a shrunk picture
MOST_POINTS, LEAST_POINTS = 24, 6
QUALITY, DISTANCE = 0.05, 2.0  # of corners: strength beside the strongest, pixels between them
NEAR, NEAR_WIDTH = 1.0, 30.0  # pixels off the common shift, more in faces wider than that
LEAST_NEAR = 0.6  # of the points, which are no further off
FLOW = {"winSize": (11, 11), "maxLevel": 2, "minEigThreshold": 1e-3}


@dataclass(frozen=True)
class FollowConfig:
    """How faces are followed.

    Attributes:
        step: Frames from one position to the next; in between they are interpolated.
        motion: Where a face moves by so many face widths in a step otherwise than before, or gets
            lost in it, the step is halved.
        drift: How far what was followed may lie off the detector's next sight, in face widths.
    """

    step: int = 5
    motion: float = 0.1
    drift: float = 0.15


class ShrunkPictures:
    """Pictures in the size in which faces are followed, each shrunk once.

    Args:
        picture: Gives a frame, uint8 [height, width].
    """

    def __init__(self, picture: Callable[[int], np.ndarray]):
        self._picture = picture
        self._kept: dict[int, np.ndarray] = {}

    def __call__(self, frame: int) -> np.ndarray:
        """Give a frame, uint8 [height, width], its longest side 320 at most."""
        if frame not in self._kept:
            gray = self._picture(frame)
            height, width = gray.shape
            factor = SIDE / max(height, width)
            if factor < 1:
                size = (max(1, round(width * factor)), max(1, round(height * factor)))
                gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
            self._kept[frame] = gray
        return self._kept[frame]

    def factors(self, frame: int) -> np.ndarray:
        """Pixels of the picture for one of the shrunk one, x and y."""
        (height, width), (rows, columns) = self._picture(frame).shape, self(frame).shape
        return np.array([width / columns, height / rows])


def follow(
    first: tuple[int, Detection],
    last: tuple[int, Detection],
    pictures: ShrunkPictures,
    config: FollowConfig,
) -> dict[int, Detection] | None:
    """Find where a face is between two looks.

    Args:
        first: The frame of a look, and the face there.
        last: The frame of a later look, and the same face there; the path is bent to end in it.
        pictures: Gives the frames.
        config: Settings.

    Returns:
        The face in some frames between them, in order; None where it cannot be followed, or ends
        elsewhere than the detector sees it.
    """
    (start, face), (stop, end) = first, last
    factors = pictures.factors(start)
    shifts = _find_shifts(start, stop, face.box / np.tile(factors, 2), pictures, config)
    if shifts is None:
        return None
    # A face that also turns, nods or comes nearer differs by what is not a shift.
    rest = end.row - face.row - _of_all(shifts.pop(stop) * factors)
    if np.abs(rest[4:]).max() > config.drift * end.box[2]:
        return None
    path = {}
    for frame, shift in shifts.items():
        part = (frame - start) / (stop - start)
        path[frame] = _followed(face, face.row + _of_all(shift * factors) + part * rest)
    return path


def _find_shifts(
    start: int, stop: int, box: np.ndarray, pictures: ShrunkPictures, config: FollowConfig
) -> dict[int, np.ndarray] | None:
    """How far a face has moved since the first frame, [2] in shrunk pixels; last the second one."""
    points = _find_corners(pictures(start), box)
    before, shift, speed = start, np.zeros(2, np.float32), np.zeros(2, np.float32)
    shifts: dict[int, np.ndarray] = {}
    waiting = [stop, *range(start + config.step, stop, config.step)[::-1]]
    while waiting and points is not None:
        frame = waiting[-1]
        place = box[:2] + box[2:] / 2 + shift
        found = _find_step(pictures(before), pictures(frame), points, place, float(box[2]))
        frames = frame - before
        if frames > 1 and (found is None or _is_far(found[0] - speed * frames, box, config)):
            waiting.append((before + frame) // 2)
            continue
        if found is None:
            return None
        step, points = found
        before, shift, speed = frame, shift + step, step / frames
        shifts[waiting.pop()] = shift
    return None if waiting else shifts


def _is_far(shift: np.ndarray, box: np.ndarray, config: FollowConfig) -> bool:
    return float(np.hypot(*shift)) > config.motion * box[2]


def _find_corners(picture: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """Points of the upper face that can be told from their surroundings, float32 [points, 2]."""
    if box[2] < LEAST_FACE:
        return None
    ends = box[:2, None] + box[2:, None] * np.array(UPPER)  # x and y, from and to
    (left, right), (top, bottom) = np.maximum(ends, 0).astype(int).tolist()
    part = picture[top:bottom, left:right]
    if min(part.shape) < LEAST_POINTS:
        return None
    corners = cv2.goodFeaturesToTrack(part, MOST_POINTS, QUALITY, DISTANCE)
    if corners is None or len(corners) < LEAST_POINTS:
        return None
    return corners.reshape(-1, 2) + np.array([left, top], np.float32)


def _find_step(
    before: np.ndarray, after: np.ndarray, points: np.ndarray, place: np.ndarray, width: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the common shift of points, [2], and where those that share it are now."""
    reach = width * (0.5 + AROUND)
    left, top = (max(0, int(middle - reach)) for middle in place)
    right, bottom = (max(0, int(middle + reach)) for middle in place)
    part = slice(top, bottom), slice(left, right)
    if min(before[part].shape) < LEAST_POINTS:
        return None
    corner = np.array([left, top], np.float32)
    tracked, found, _ = cv2.calcOpticalFlowPyrLK(
        before[part], after[part], points - corner, None, **FLOW
    )
    steps = tracked + corner - points
    seen = found[:, 0] == 1
    if np.count_nonzero(seen) < LEAST_POINTS:
        return None
    step = np.median(steps[seen], axis=0)
    near = seen & (np.abs(steps - step).max(axis=1) < NEAR * max(1.0, width / NEAR_WIDTH))
    if np.count_nonzero(near) < max(LEAST_POINTS, LEAST_NEAR * len(points)):
        return None
    return steps[near].mean(axis=0), (tracked + corner)[near]


def _of_all(shift: np.ndarray) -> np.ndarray:
    """The change of a face's row, [12], that a shift of it is."""
    return np.concatenate([shift, np.zeros(2), np.tile(shift, 4)])


def _followed(face: Detection, row: np.ndarray) -> Detection:
    return Detection(row[:4], row[4:].reshape(-1, 2), face.score, followed=True)
