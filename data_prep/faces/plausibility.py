"""Are numbers from elsewhere a face in this picture, and if not, what do they look like?

Landmarks and boxes of other programs come as fractions or percents of the picture, in the pixels of
another size, with x and y or the eyes exchanged. Cropped by, they give a wall without any error. So
each frame is asked whether it can be a face: upright within limits, its parts in their order, of
a size that a picture can hold. Where most frames are none, the usual mistakes are undone one by one
until they are, and the message names it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

LEAST_SIZE = 2.0  # pixels from the eyes to the mouth, or between the eyes; less shows nothing
TINY = 20  # pixels; in a smaller picture a mouth may have any size
MOST_SIZE = 3.0  # times the longer side of the picture: an extreme close-up
MOST_TILT_DEGREES = 68.0
LEAST_ORDER = -0.3  # of 1; 0 is a profile, whose eyes lie over each other
MOST_WIDE = 3.0  # distance of the eyes over that of the mouth; 1 is usual
NOSE_DOWN = (-0.5, 1.4)  # of the way from the eyes to the mouth
NOSE_ASIDE = 1.2
LEAST_SHARE = 0.5  # of the frames; the others may be slips
INSIDE_SHARE = 0.05  # of the frames with the mouth in the picture

TURNS = 7  # so many orders, after the right one, are turns and reflections, the rest mixes points

Change = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Size:
    """Columns and rows of a picture."""

    width: float
    height: float

    def __str__(self) -> str:
        """Return "width x height"."""
        return f"{self.width:g} x {self.height:g}"


def can_be_faces(landmarks: np.ndarray, size: Size) -> np.ndarray:
    """Tell in which frames landmarks can be those of a face, wherever it is.

    Args:
        landmarks: x and y in pixels, [frames, 4, 2]: right eye (on the left of the picture), left
            eye, nose, mouth.
        size: Columns and rows of the picture.

    Returns:
        bool [frames].
    """
    right, left, nose, mouth = np.moveaxis(landmarks, 1, 0)
    across, middle = left - right, (left + right) / 2
    down = mouth - middle
    width, height = np.hypot(*across.T), np.hypot(*down.T)
    scale = np.maximum(width, height)
    least = LEAST_SIZE if min(size.width, size.height) >= TINY else 0.0
    good = (scale >= least) & (scale <= MOST_SIZE * max(size.width, size.height))
    squared = np.maximum(height**2, 1e-12)
    order = 2 * _cross(across, down) / np.maximum(width**2 + height**2, 1e-12)
    good &= (order >= LEAST_ORDER) & (width <= MOST_WIDE * height)
    tilt = np.degrees(np.arctan2(*down.T))
    good &= abs(tilt) <= MOST_TILT_DEGREES
    offset = nose - middle
    fall = (offset * down).sum(axis=1) / squared
    good &= (fall >= NOSE_DOWN[0]) & (fall <= NOSE_DOWN[1])
    return good & (abs(_cross(offset, down)) <= NOSE_ASIDE * squared)


def check_landmarks(landmarks: np.ndarray, size: Size, what: str = "Landmarks") -> np.ndarray:
    """Check that landmarks are those of a face in a picture.

    Args:
        landmarks: float [frames, 4, 2], NaN where missing.
        size: Columns and rows of the picture, in the units of the landmarks.
        what: How the message calls them.

    Returns:
        bool [frames], True where they can be a face; among good frames some may be slips.

    Raises:
        ValueError: There are none, or most cannot be a face in this picture; the message says what
            they look like.
    """
    known = np.isfinite(landmarks).all(axis=(1, 2))
    if not known.any():
        raise ValueError(
            f"{what} are missing (NaN, null or all on one point) in all {len(landmarks)} frames; "
            "expected a face in some. Look whether the tool that wrote them found one."
        )
    found = landmarks[known]
    good = np.zeros(len(landmarks), bool)
    good[known] = can_be_faces(found, size)
    if _fit(found, size):
        return good
    low, high = np.quantile(found, 0.02, axis=(0, 1)), np.quantile(found, 0.98, axis=(0, 1))
    raise ValueError(
        f"{what} lie between ({low[0]:.3g}, {low[1]:.3g}) and ({high[0]:.3g}, {high[1]:.3g}) in a "
        f"picture of {size} pixels, where they are no face; expected right eye (on the left of the "
        f"picture), left eye, nose and mouth in pixels. {_likeness(found, size)}"
    )


def refuse_factors(factors: np.ndarray, size: Size) -> None:
    """Say that landmarks lie where no face is, but would on one if they were scaled.

    Args:
        factors: By what x and y have to be multiplied, see `find_factors`.
        size: Columns and rows of the picture, in the units of the landmarks.

    Raises:
        ValueError: Always.
    """
    x, y = factors * [100 / size.width, 100 / size.height]
    theirs = Size(*np.round([size.width / factors[0], size.height / factors[1]]).tolist())
    like = f"pixels of a picture of about {theirs}"
    if max(abs(np.log([x, y]))) < 0.1:
        like = "percents of the picture"
    raise ValueError(
        f"Landmarks lie where no face is seen in the picture of {size} pixels, but would on one if "
        f"x were multiplied by {factors[0]:.3g} and y by {factors[1]:.3g}; expected pixels. "
        f"They look like {like}: scale them to {size}."
    )


def check_box(box: Sequence[float], size: Size) -> None:
    """Check that a box around a mouth can lie in a picture.

    Args:
        box: x, y, width, height.
        size: Columns and rows of the picture, in the units of the landmarks.

    Raises:
        ValueError: It cannot; the message says what the numbers look like.
    """
    x, y, width, height = box
    middle_x, middle_y = x + width / 2, y + height / 2
    inside = 0 <= middle_x <= size.width and 0 <= middle_y <= size.height
    fits = width <= 1.1 * size.width and height <= 1.1 * size.height
    tiny_picture = min(size.width, size.height) < TINY
    small = max(width, height) < LEAST_SIZE and not tiny_picture
    corners = x < width <= size.width and y < height <= size.height
    sticks_out = x + width > 1.02 * size.width or y + height > 1.02 * size.height
    if inside and fits and not small and not (corners and sticks_out):
        return
    problem = "has its middle outside the picture" if not inside else "is no mouth in a picture"
    like = "Give x, y, width, height in pixels of the video."
    if max(box) <= 1.5:
        like = f"They look like fractions of the picture: multiply by {size}."
    elif corners:
        like = (
            "They look like two corners: give x, y, width, height, as in "
            f"{x:g},{y:g},{width - x:g},{height - y:g}."
        )
    elif max(x + width, y + height) > max(size.width, size.height):
        like = "They look like pixels of a larger picture: scale them to this one."
    numbers = ", ".join(f"{value:g}" for value in box)
    raise ValueError(f"Box {numbers} {problem} of {size} pixels. {like}")


def _fit(landmarks: np.ndarray, size: Size) -> bool:
    """Most frames can be faces, and some have the mouth in the picture."""
    faces = can_be_faces(landmarks, size)
    x, y = landmarks[:, 3].T
    inside = (x >= 0) & (y >= 0) & (x <= size.width - 1) & (y <= size.height - 1)
    return bool(faces.mean() >= LEAST_SHARE and (faces & inside).mean() >= INSIDE_SHARE)


def _likeness(landmarks: np.ndarray, size: Size) -> str:
    """Say what landmarks look like that are no faces as they are."""
    for unit, remedy, corner, scale in _units(size):
        fits = [
            (min(number, 1) + (number > TURNS), _tilt(pixels), order, swap)
            for number, (order, swap, change) in enumerate(_orders(corner))
            if (unit or order) and _fit(pixels := scale(change(landmarks)), size)
        ]
        mixed = min(fits, default=(0,))[0] > 1
        # Rather a larger picture, of which a nose lies in this one by chance.
        if fits and not (mixed and _is_larger(landmarks, size)):
            _, _, order, swap = min(fits)  # rather as it is, and a head rather upright
            names = ", of ".join(name for name in (unit, order) if name)
            remedies = ", and ".join(name for name in (swap, remedy) if name)
            return f"They look like {names}: {remedies}."
    if _is_larger(landmarks, size):
        thousandths = " or thousandths of this one" if landmarks.max() <= 1000 else ""
        return f"They look like pixels of a larger picture{thousandths}: scale them to this one."
    return "They look like no face: check their order, their unit and that they are of this video."


def _units(size: Size) -> list[tuple[str, str, Size, Change]]:
    """Name, remedy, the largest values, and how pixels are made of it."""
    whole = np.array([size.width, size.height])
    most = Size(size.width - 1, size.height - 1)
    return [
        ("", "", most, lambda points: points),
        (
            "fractions of the picture",
            f"multiply by {size}",
            Size(1, 1),
            lambda points: points * whole,
        ),
        (
            "fractions from -1 to 1 of the picture",
            f"add 1, divide by 2 and multiply by {size}",
            Size(0, 0),
            lambda points: (points + 1) / 2 * whole,
        ),
    ]


def _orders(most: Size) -> list[tuple[str, str, Change]]:
    """Name, remedy, and how the right order is made of it."""
    right, bottom = most.width, most.height
    return [
        ("", "", lambda points: points),
        ("points with x and y exchanged", "give x first", lambda points: points[..., ::-1]),
        (
            "a face with its eyes exchanged, or of a mirrored picture",
            "give the eye on the left of the picture first",
            lambda points: points[:, [1, 0, 2, 3]],
        ),
        (
            "points with x and y exchanged and the eyes, too",
            "give x first, and first the eye on the left of the picture",
            lambda points: points[:, [1, 0, 2, 3], ::-1],
        ),
        (
            "points with y counted from below",
            "count from above",
            lambda points: [0, bottom] + points * [1, -1],
        ),
        ("a picture upside down", "turn it", lambda points: [right, bottom] - points),
        (
            "a picture turned by a quarter",
            "turn it as players show it",
            lambda points: points[..., ::-1] * [1, -1] + [0, bottom],
        ),
        (
            "a picture turned by a quarter",
            "turn it as players show it",
            lambda points: points[..., ::-1] * [-1, 1] + [right, 0],
        ),
        (
            "a face with nose and mouth exchanged",
            "give the nose before the mouth",
            lambda points: points[:, [0, 1, 3, 2]],
        ),
        (
            "points in another order",
            "give the eyes, then nose and mouth",
            lambda points: points[:, [2, 3, 1, 0]],
        ),
        (
            "a face with nose and mouth first",
            "give the eyes first",
            lambda points: points[:, [2, 3, 0, 1]],
        ),
    ]


def _tilt(landmarks: np.ndarray) -> float:
    """Median angle of the faces, whole degrees from upright."""
    down = landmarks[:, 3] - landmarks[:, :2].mean(axis=1)
    return round(float(np.median(abs(np.degrees(np.arctan2(*down.T))))))


def _is_larger(landmarks: np.ndarray, size: Size) -> bool:
    """They are faces, but of a picture that is larger than this one."""
    reach = np.quantile(landmarks, 0.98, axis=(0, 1)) / [size.width, size.height]
    factor = max(2.0, 1.2 * float(reach.max()))
    return _fit(landmarks, Size(size.width * factor, size.height * factor))


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
