"""Follow faces from one look of the detector to the next by optical flow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
AS_COMPLEX = np.array([1, 1j])
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


@dataclass(frozen=True)
class Motion:
    """Turn, scale and shift in the plane of shrunk pixels, x + i y."""

    turn: complex
    shift: complex

    def move(self, places: Any) -> Any:
        """Move complex places."""
        return self.turn * places + self.shift


@dataclass(frozen=True)
class Step(Motion):
    """A motion from one picture to the next, and the points that share it, there: [points, 2]."""

    points: np.ndarray


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
    motions = _find_motions(start, stop, face.box / np.tile(factors, 2), pictures, config)
    if motions is None:
        return None
    rows = {frame: _move(face, motion, factors) for frame, motion in motions.items()}
    off = end.row - rows.pop(stop)
    if np.abs(off[4:]).max() > config.drift * end.box[2]:
        return None
    path = {}
    for frame, row in rows.items():
        row = row + off * ((frame - start) / (stop - start))
        path[frame] = Detection(row[:4], row[4:].reshape(-1, 2), face.score, followed=True)
    return path


def _find_motions(
    start: int, stop: int, box: np.ndarray, pictures: ShrunkPictures, config: FollowConfig
) -> dict[int, Motion] | None:
    """How a face moves from the first frame to later ones, the last of which is the second."""
    points = _find_corners(pictures(start), box)
    middle = complex(*(box[:2] + box[2:] / 2))
    before, turn, shift, speed = start, 1 + 0j, 0j, 0j
    motions: dict[int, Motion] = {}
    waiting = [stop, *range(start + config.step, stop, config.step)[::-1]]
    while waiting and points is not None:
        frame = waiting[-1]
        frames, place = frame - before, turn * middle + shift
        found = _find_step(pictures(before), pictures(frame), points, place, float(box[2]))
        moved = None if found is None else found.move(place) - place
        lost = moved is None or abs(moved - speed * frames) > config.motion * box[2]
        if lost and frames > 1:
            waiting.append((before + frame) // 2)
            continue
        if found is None or moved is None:
            return None
        before, speed, points = frame, moved / frames, found.points
        turn, shift = found.turn * turn, found.turn * shift + found.shift
        motions[waiting.pop()] = Motion(turn, shift)
    return None if waiting else motions


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
    before: np.ndarray, after: np.ndarray, points: np.ndarray, place: complex, width: float
) -> Step | None:
    """Find how points around a place move from one picture to the next; None if they get lost."""
    reach = width * (0.5 + AROUND)
    left, top = max(0, int(place.real - reach)), max(0, int(place.imag - reach))
    right, bottom = max(0, int(place.real + reach)), max(0, int(place.imag + reach))
    part = slice(top, bottom), slice(left, right)
    if min(before[part].shape) < LEAST_POINTS:
        return None
    corner = np.array([left, top], np.float32)
    guess: Any = None  # OpenCV's types ask for one
    tracked, found, _ = cv2.calcOpticalFlowPyrLK(
        before[part], after[part], points - corner, guess, **FLOW
    )
    tracked = tracked + corner
    seen = found[:, 0] == 1
    if np.count_nonzero(seen) < LEAST_POINTS:
        return None
    steps = tracked - points
    off = np.abs(steps - np.median(steps[seen], axis=0)).max(axis=1)
    near = seen & (off < NEAR * max(1.0, width / NEAR_WIDTH))
    if np.count_nonzero(near) < max(LEAST_POINTS, LEAST_NEAR * len(points)):
        return None
    # By least squares, as `crops.fit_similarity`.
    old, new = (points[near] @ AS_COMPLEX, tracked[near] @ AS_COMPLEX)
    centre, now = old.mean(), new.mean()
    old, new = old - centre, new - now
    turn = complex(np.vdot(old, new) / max(np.vdot(old, old).real, 1e-6))
    return Step(turn, complex(now - turn * centre), tracked[near])


def _move(face: Detection, motion: Motion, factors: np.ndarray) -> np.ndarray:
    """Move the row of a face, [12] in pixels of the pictures, as in shrunk ones."""
    size = face.box[2:] * abs(motion.turn)
    spots = np.concatenate([[face.box[:2] + face.box[2:] / 2], face.landmarks]) / factors
    moved = motion.move(spots @ AS_COMPLEX)
    spots = np.stack([moved.real, moved.imag], axis=1) * factors
    return np.concatenate([spots[0] - size / 2, size, spots[1:].ravel()])
