"""Does a mouth change its shape, or is it a picture that only moves, or noise on a still one?

A photo that is panned, zoomed or shaken moves as a whole; what codecs and cameras add to a still
face is small. Both are told from speech by what is left of the change between two pictures when
the shift, turn, scale and light that explain most of it are taken out.
"""

from dataclasses import dataclass

import numpy as np

STEP = 3  # pictures between two that are compared: speech adds up over them, noise does not
LEAST_CHANGE = 0.6  # grey levels; stills have up to 0.4 in common coding, talkers 2.8 and more
LEAST_SHARE = 0.02  # of the contrast, where that is less: pictures may be dark
LEAST_UPPER = 0.2  # grey levels
EVERY = 2  # one picture out of so many is compared with an earlier one
AT_ONCE = 50  # pictures, so that little is held


@dataclass(frozen=True)
class Changes:
    """What changes from a picture to the third one after it.

    Attributes:
        lips: Mean grey levels by which the lips change, [frames].
        bent: What of it is no common motion of the lips, [frames].
        upper: Motion of eyes and forehead, [frames].
        contrast: Deviation of the grey levels of the lips.
    """

    lips: np.ndarray
    bent: np.ndarray
    upper: np.ndarray
    contrast: float

    def is_still(self, part: slice) -> bool:
        """Tell whether the lips keep their shape in some frames: a photo, a frozen picture."""
        least = min(LEAST_CHANGE, LEAST_SHARE * self.contrast)
        return len(self.bent[part]) == 0 or float(np.median(self.bent[part])) <= least

    def bending(self, part: slice) -> float:
        """How much more the lips change their shape than the upper face does, 0 and more."""
        if self.is_still(part):
            return 0.0
        lips, bent, upper = (float(np.median(a[part])) for a in (self.lips, self.bent, self.upper))
        return bent / max(upper, LEAST_UPPER) * bent / max(lips, 1e-6)


def measure_changes(lips: np.ndarray, upper: np.ndarray, repeated: np.ndarray) -> Changes:
    """Compare each picture with the third new one before it.

    Args:
        lips: float [frames, height, width], grey levels.
        upper: float [frames, height, width], eyes and forehead of the same frames.
        repeated: bool [frames], the picture is the one before.

    Returns:
        The changes; 0 where there are no more than three pictures.
    """
    fresh = np.flatnonzero(~repeated)
    frames = len(lips)
    if len(fresh) <= STEP:
        nothing = np.zeros(frames)
        return Changes(nothing, nothing, nothing, float(lips.std()))
    # Each frame has a change that ends in it or just before; the first ones that of a neighbour.
    origin = np.maximum(np.searchsorted(fresh, np.arange(frames), "right") - 1 - STEP, 0) // EVERY
    whole, bent = _compare(lips[fresh])
    whole, bent, rest = whole[origin], bent[origin], _compare(upper[fresh])[1][origin]
    return Changes(whole, bent, rest, float(lips.std()))


def _compare(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the change over `STEP` pictures, and what of it no common motion explains."""
    first, second = pictures[:-STEP:EVERY], pictures[STEP::EVERY]
    parts = [
        _compare_pairs(first[start : start + AT_ONCE], second[start : start + AT_ONCE])
        for start in range(0, len(first), AT_ONCE)
    ]
    whole, left = zip(*parts, strict=True)
    return np.concatenate(whole), np.concatenate(left)


def _compare_pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle = (first + second) / 2
    height, width = middle.shape[1:]
    down, right = np.gradient(middle, axis=(1, 2))
    y, x = np.mgrid[:height, :width] - np.array([height - 1, width - 1]).reshape(2, 1, 1) / 2
    light = np.ones_like(middle)
    contrast = middle - middle.mean(axis=(1, 2), keepdims=True)
    motions = [right, down, x * right + y * down, x * down - y * right, light, contrast]
    base = np.stack(motions, axis=-1).reshape(len(middle), -1, len(motions))
    change = (second - first).reshape(len(middle), -1, 1)
    squares = base.transpose(0, 2, 1) @ base + 1e-3 * np.eye(len(motions))
    left = change - base @ np.linalg.solve(squares, base.transpose(0, 2, 1) @ change)
    whole = np.abs(change - change.mean(axis=1, keepdims=True)).mean(axis=(1, 2))
    return whole, np.abs(left).mean(axis=(1, 2))
