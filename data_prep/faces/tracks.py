"""Join detections of one shot to tracks, one per face."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_prep.faces.landmarks import interpolate, smooth


@dataclass(frozen=True)
class TrackConfig:
    """When two detections are the same face, and when a track is worth keeping.

    Attributes:
        least_iou: Overlap from which two boxes are the same face.
        reach: Without overlap: how far the centre may move, in face widths.
        size_change: Without overlap: how much the size may change, as a factor.
        bridge_frames: Longest gap between two detections that is interpolated (1 s).
        hold_frames: How far the first and the last detection are copied outwards.
        smoothing_radius: Frames on each side over which landmarks are averaged.
        least_frames: Shorter tracks are dropped (0.3 s).
        least_detections: Tracks seen less often are dropped.
        least_score: Tracks with a lower median score are dropped.
    """

    least_iou: float = 0.2
    reach: float = 0.8
    size_change: float = 1.6
    bridge_frames: int = 25
    hold_frames: int = 4
    smoothing_radius: int = 6
    least_frames: int = 8
    least_detections: int = 2
    least_score: float = 0.6


@dataclass(frozen=True)
class Detection:
    """One face in one frame: box [4], landmarks [4, 2], score; `followed` if not the detector's."""

    box: np.ndarray
    landmarks: np.ndarray
    score: float
    followed: bool = False

    @property
    def row(self) -> np.ndarray:
        """Box and landmarks, float32 [12]."""
        return np.concatenate([self.box, self.landmarks.ravel()]).astype(np.float32)


@dataclass(frozen=True)
class Stretch:
    """Final frames of a track.

    Attributes:
        start_frame: First frame.
        boxes: float32 [frames, 4].
        landmarks: float32 [frames, 4, 2], smoothed.
        detected: bool [frames].
    """

    start_frame: int
    boxes: np.ndarray
    landmarks: np.ndarray
    detected: np.ndarray


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two boxes [4] (x, y, width, height)."""
    # In plain numbers, which are faster than arrays so small.
    x, y, width, height = first.tolist()
    other_x, other_y, other_width, other_height = second.tolist()
    across = min(x + width, other_x + other_width) - max(x, other_x)
    down = min(y + height, other_y + other_height) - max(y, other_y)
    shared = max(across, 0.0) * max(down, 0.0)
    union = width * height + other_width * other_height - shared
    return shared / union if union > 0 else 0.0


def likeness(first: np.ndarray, second: np.ndarray, config: TrackConfig) -> float:
    """How well two boxes [4] fit the same face; 0 where they cannot."""
    shared = overlap(first, second)
    if shared >= config.least_iou:
        return 1.0 + shared
    widths = float(first[2]), float(second[2])
    width = max(*widths, 1e-6)
    if width > config.size_change * min(widths):
        return 0.0
    step = first[:2] + first[2:] / 2 - second[:2] - second[2:] / 2
    return max(0.0, 1.0 - float(np.hypot(*step)) / (config.reach * width))


def match(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], config: TrackConfig
) -> dict[int, int]:
    """Pair boxes of two frames, the most alike first.

    Args:
        first: Boxes [4].
        second: Boxes [4].
        config: What is alike.

    Returns:
        Position in `first` to position in `second`, for those that have a partner.
    """
    scores = [
        (likeness(a, b, config), i, j) for i, a in enumerate(first) for j, b in enumerate(second)
    ]
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for score, i, j in sorted(scores, reverse=True):
        if score > 0 and i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return pairs


class OpenTrack:
    """A track that still grows; keeps only the rows that are not yet final."""

    def __init__(self, config: TrackConfig, shot: int, frame: int, earliest: int, found: Detection):
        self.config = config
        self.shot = shot
        self.start = max(earliest, frame - config.hold_frames)
        self.end: int | None = None
        self.last_frame = frame
        self.last = found
        self.scores = [found.score]
        self._first_row = self.start  # frame of _rows[0]
        self._rows = [found.row] * (frame - self.start + 1)
        self._detected = [False] * (frame - self.start) + [True]
        self._done = self.start

    def add(self, frame: int, found: Detection) -> None:
        """Take the next sight and interpolate up to it."""
        steps = frame - self.last_frame
        self._rows.extend(interpolate(self.last.row, found.row, steps))
        self._detected.extend([False] * (steps - 1) + [not found.followed])
        self.last_frame, self.last = frame, found
        if not found.followed:
            self.scores.append(found.score)

    def close(self, stop: int) -> None:
        """End the track: nothing is known of it at frame `stop` and later."""
        held = min(self.config.hold_frames, stop - 1 - self.last_frame)
        self._rows.extend([self.last.row] * held)
        self._detected.extend([False] * held)
        self.end = self.last_frame + held + 1

    @property
    def final(self) -> int:
        """Frames before this one cannot change any more."""
        if self.end is not None:
            return self.end
        return max(self.start, self.last_frame + 1 - self.config.smoothing_radius)

    @property
    def is_kept(self) -> bool:
        """It is long, frequent and sure enough to be a face."""
        length = (self.end or self.last_frame + 1) - self.start
        return (
            length >= self.config.least_frames
            and len(self.scores) >= self.config.least_detections
            and float(np.median(self.scores)) >= self.config.least_score
        )

    def take(self, stop: int) -> Stretch:
        """Hand out the frames before `stop` that were not yet handed out.

        Args:
            stop: At most `final`.

        Returns:
            The frames, possibly none.
        """
        start, stop = self._done, max(self._done, min(stop, self.final))
        rows = np.stack(self._rows)  # [frames, 12]
        smoothed = smooth(rows[:, 4:].reshape(-1, 4, 2), self.config.smoothing_radius)
        part = slice(start - self._first_row, stop - self._first_row)
        stretch = Stretch(
            start,
            rows[part, :4],
            smoothed[part].astype(np.float32),
            np.array(self._detected[part], bool),
        )
        self._done = stop
        self._forget(stop - self.config.smoothing_radius)
        return stretch

    def _forget(self, before: int) -> None:
        count = max(0, min(before, self.last_frame) - self._first_row)
        del self._rows[:count], self._detected[:count]
        self._first_row += count


class Tracker:
    """Tracks of the current shot."""

    def __init__(self, config: TrackConfig | None = None):
        self.config = config or TrackConfig()
        self.open: list[OpenTrack] = []
        self.closed: list[OpenTrack] = []
        self._shot = -1
        self._shot_start = 0

    def start_shot(self, frame: int) -> None:
        """Begin the next shot: whatever was open ends just before `frame`."""
        self.finish(frame)
        self._shot += 1
        self._shot_start = frame

    def finish(self, stop: int) -> None:
        """End all tracks; `stop` is the frame after the last one."""
        for track in self.open:
            track.close(stop)
        self.closed.extend(self.open)
        self.open = []

    def update(self, frame: int, found: Sequence[Detection]) -> None:
        """Take the faces of the next frame that was looked at."""
        self._close_lost(frame)
        pairs = match([t.last.box for t in self.open], [f.box for f in found], self.config)
        for position, other in pairs.items():
            self.open[position].add(frame, found[other])
        for position in sorted(set(range(len(found))) - set(pairs.values())):
            self.open.append(
                OpenTrack(self.config, self._shot, frame, self._shot_start, found[position])
            )

    def _close_lost(self, frame: int) -> None:
        lost = [t for t in self.open if frame - t.last_frame > self.config.bridge_frames]
        for track in lost:
            track.close(frame)
        self.closed.extend(lost)
        self.open = [track for track in self.open if track.end is None]

    def final(self, looked_until: int | None) -> int:
        """Frames before this one cannot change any more.

        Args:
            looked_until: The last frame given to `update`; None if none of this shot was.
        """
        if looked_until is None:
            return self._shot_start
        born = looked_until + 1 - self.config.hold_frames
        return min([born] + [track.final for track in self.open])
