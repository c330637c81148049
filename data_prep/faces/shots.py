"""Find hard cuts in a stream of pictures, exact to the frame."""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 32
VISIBLE_CHANGE = 2.0  # grey levels; coding noise stays below
BINS = 16


@dataclass(frozen=True)
class CutConfig:
    """How a cut is told from motion, flashes and noise.

    Attributes:
        before: Pictures before the step that tell how much the scene moves by itself.
        after: Pictures after the step that tell the scene's own motion; answers come so many
            pictures late.
        least_step: Smallest step that may be a cut, in grey levels (0 to 255).
        least_share: Part of the picture that changes at least; less is a title that pops up.
        ratio: How far the step must rise above the scene's own motion.
    """

    before: int = 8
    after: int = 4
    least_step: float = 2.5
    least_share: float = 0.2
    ratio: float = 3.5


@dataclass(frozen=True)
class _Seen:
    thumbnail: np.ndarray
    histogram: np.ndarray
    step: float
    share: float
    histogram_step: float
    repeated: bool


def shrink(gray: np.ndarray) -> np.ndarray:
    """Shrink a picture to the thumbnail that the cut detector compares.

    Args:
        gray: uint8 [height, width].

    Returns:
        float32 [32, 32].
    """
    # Area averaging of a whole picture costs more than all else here; every n-th pixel will do.
    skip = max(1, min(gray.shape) // (3 * SIDE))
    coarse = np.ascontiguousarray(gray[::skip, ::skip])
    return cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)


def _histogram(thumbnail: np.ndarray) -> np.ndarray:
    bins = ((thumbnail - thumbnail.mean() + 128.0) * (BINS / 256.0)).astype(np.int64)
    np.minimum(np.maximum(bins, 0, out=bins), BINS - 1, out=bins)
    return np.bincount(bins.ravel(), minlength=BINS) / thumbnail.size


def _change(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How much each part changed, beyond a change of light that all parts share."""
    difference = first - second
    half = difference.size // 2  # np.median takes thrice the time
    middle = np.partition(difference.ravel(), (half - 1, half))[half - 1 : half + 1].mean()
    return np.abs(difference - middle)


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    return float(_change(first, second).mean())


class CutDetector:
    """A stream of pictures in, a stream of answers out: does a new shot start here?

    A cut is one lone step: the picture changes by much more than it does just before and
    just after, and does not come back (that is a flash). Repeated pictures (a source of few
    frames per second) are left out of the comparison, or each new one would look like a step.
    """

    def __init__(self, config: CutConfig | None = None):
        self.config = config or CutConfig()
        self._seen: deque[_Seen] = deque()
        self._waiting = 0

    def push(self, gray: np.ndarray, repeated: bool = False) -> list[bool]:
        """Take the next picture.

        Args:
            gray: uint8 [height, width].
            repeated: It is the same source picture as the one before.

        Returns:
            Answers for the next pictures in order, as many as are now sure; each picture is
            answered `config.after` pictures later.
        """
        self._seen.append(self._compare(gray, repeated))
        self._waiting += 1
        if self._waiting <= self.config.after:
            return []
        return [self._answer()]

    def flush(self) -> list[bool]:
        """Answer the pictures that are still waiting."""
        return [self._answer() for _ in range(self._waiting)]

    def _compare(self, gray: np.ndarray, repeated: bool) -> _Seen:
        last = self._seen[-1] if self._seen else None
        if last is not None and repeated:
            return _Seen(last.thumbnail, last.histogram, 0.0, 0.0, 0.0, True)
        thumbnail = shrink(gray)
        histogram = _histogram(thumbnail)
        if last is None:
            return _Seen(thumbnail, histogram, 0.0, 0.0, 0.0, False)
        change = _change(thumbnail, last.thumbnail)
        step, share = float(change.mean()), float((change > VISIBLE_CHANGE).mean())
        histogram_step = 0.5 * float(np.abs(histogram - last.histogram).sum())
        return _Seen(thumbnail, histogram, step, share, histogram_step, False)

    def _answer(self) -> bool:
        position = len(self._seen) - self._waiting
        is_cut = position > 0 and self._is_cut(position)
        self._waiting -= 1
        if position >= self.config.before:
            self._seen.popleft()
        return is_cut

    def _is_cut(self, position: int) -> bool:
        here = self._seen[position]
        if here.step < self.config.least_step or here.share < self.config.least_share:
            return False
        if self._comes_back(position):
            return False
        # A new distribution of greys is no motion within a scene, so it needs a smaller rise.
        ratio = self.config.ratio * (1.0 - 0.5 * min(1.0, here.histogram_step))
        return here.step >= ratio * self._own_motion(position)

    def _own_motion(self, position: int) -> float:
        """Second largest step around: the largest may be a neighbouring cut."""
        steps = [
            seen.step
            for at, seen in enumerate(self._seen)
            if at > 0 and at != position and not seen.repeated
        ]
        return sorted(steps)[-2] if len(steps) > 1 else 0.0

    def _comes_back(self, position: int) -> bool:
        """A flash: soon after, the picture of just before is back, or it is back here."""
        seen, reach = list(self._seen), self.config.after
        here, before = seen[position], seen[position - 1]
        earlier = seen[max(0, position - 1 - reach) : position - 1]
        limit = 0.4 * here.step
        return any(
            _distance(before.thumbnail, other.thumbnail) < limit for other in seen[position + 1 :]
        ) or any(_distance(here.thumbnail, other.thumbnail) < limit for other in earlier)
