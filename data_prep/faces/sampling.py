"""Choose the frames in which faces are looked for, look there, and follow faces in between."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np

from data_prep.faces.following import FollowConfig, ShrunkPictures, follow
from data_prep.faces.newcomers import has_newcomer
from data_prep.faces.tracks import Detection, TrackConfig, match

# Of the detector's six key points: both eyes, the nose tip and the mouth; not the ears.
POINTS = 4


class FoundFaces(Protocol):
    """What a detector says of one picture: boxes [faces, 4], keypoints [faces, 6, 2], scores."""

    @property
    def boxes(self) -> np.ndarray: ...  # noqa: D102
    @property
    def keypoints(self) -> np.ndarray: ...  # noqa: D102
    @property
    def scores(self) -> np.ndarray: ...  # noqa: D102


class Detector(Protocol):
    """Anything that finds faces in rgb pictures, uint8 [height, width, 3].

    `side` is the longest side, in pixels, that it makes use of.
    """

    @property
    def side(self) -> int: ...  # noqa: D102
    def __call__(self, images: Sequence[np.ndarray], /) -> Sequence[FoundFaces]: ...  # noqa: D102


@dataclass(frozen=True)
class SamplingConfig:
    """How often faces are looked for.

    Attributes:
        every: One frame out of so many, and the first and last of each shot. Where a face came or
            went between two looks it is looked for in between, too.
        unfollowed: The same where a face cannot be followed, or something new is seen.
        motion: An unfollowed face that moved further than this many face widths between two looks
            is looked for in between, too.
        follow: How faces are followed from one look to the next.
        batch: Pictures handed to the detector at once.
        most_faces: Faces that are kept of one picture; where there are more, the widest.
    """

    every: int = 10
    unfollowed: int = 5
    motion: float = 0.15
    follow: FollowConfig = field(default_factory=FollowConfig)
    batch: int = 16
    most_faces: int = 8


Sample = tuple[int, list[Detection]]


class Sampler:
    """Looks for faces in few frames, in many where they cannot be followed from one to the next."""

    def __init__(self, detector: Detector, config: SamplingConfig, tracks: TrackConfig):
        self.detector = detector
        self.config = config
        self._tracks = tracks
        self._shot_start = 0
        self._last: Sample | None = None
        self.looks = 0

    @property
    def last_frame(self) -> int | None:
        """The last frame of this shot that was looked at."""
        return self._last[0] if self._last else None

    def start_shot(self, frame: int) -> None:
        """Begin a shot: nothing is compared with what came before."""
        self._shot_start = frame
        self._last = None

    def look(
        self, start: int, stop: int, ends: bool, picture: Callable[[int], np.ndarray]
    ) -> list[Sample]:
        """Find the faces of a part of the current shot.

        Args:
            start: First frame.
            stop: The frame after the last one.
            ends: The shot ends at `stop`.
            picture: Gives a frame, uint8 [height, width].

        Returns:
            The frames looked at, and some to which faces were followed, in order, and the faces.
        """
        frames = {f for f in range(start, stop) if (f - self._shot_start) % self.config.every == 0}
        if ends:
            frames.add(stop - 1)
        known: dict[int, list[Detection]] = dict([self._last] if self._last else [])
        before = set(known)
        pictures = ShrunkPictures(picture)
        joined: dict[tuple[int, int], dict[int, list[Detection]]] = {}
        while frames:
            known.update(self.detect(sorted(frames), picture))
            frames = set()
            for first, second in pairwise(sorted(known)):
                if (first, second) not in joined:
                    link = (first, known[first]), (second, known[second])
                    wanted, joined[first, second] = self._join(*link, pictures)
                    frames |= wanted
        self._last = max(known.items()) if known else None
        for link in pairwise(sorted(known)):
            known.update(joined.get(link, {}))
        return [(frame, known[frame]) for frame in sorted(set(known) - before)]

    def detect(self, frames: list[int], picture: Callable[[int], np.ndarray]) -> list[Sample]:
        """Find the faces of some frames, in pixels of the pictures."""
        found: list[list[Detection]] = []
        for start in range(0, len(frames), self.config.batch):
            part = [self._prepare(picture(f)) for f in frames[start : start + self.config.batch]]
            faces = self.detector([image for image, _ in part])
            found.extend(
                self._detections(seen, factors)
                for seen, (_, factors) in zip(faces, part, strict=True)
            )
        self.looks += len(frames)
        return list(zip(frames, found, strict=True))

    def _prepare(self, gray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shrink to what the detector sees anyway: colour and full size cost, and bring nothing."""
        height, width = gray.shape
        factor = min(1.0, self.detector.side / max(height, width))
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        if factor < 1:
            gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        return cv2.merge([gray] * 3), np.array([width / size[0], height / size[1]])

    def _detections(self, faces: FoundFaces, factors: np.ndarray) -> list[Detection]:
        order = np.argsort(-faces.boxes[:, 2])[: self.config.most_faces]
        return [
            Detection(
                faces.boxes[i] * np.tile(factors, 2),
                faces.keypoints[i, :POINTS] * factors,
                float(faces.scores[i]),
            )
            for i in order
        ]

    def _join(
        self, first: Sample, second: Sample, pictures: ShrunkPictures
    ) -> tuple[set[int], dict[int, list[Detection]]]:
        """Follow the faces from one look to the next.

        Returns:
            The frames in between that have to be looked at; where there are none, the faces in some
            frames in between.
        """
        (start, before), (stop, after) = first, second
        if stop - start == 1:
            return set(), {}
        pairs = match([f.box for f in before], [f.box for f in after], self._tracks)
        if not len(before) == len(after) == len(pairs):
            return {(start + stop) // 2}, {}
        rests = set(range(start + self.config.unfollowed, stop, self.config.unfollowed))
        faces = [(before[i], after[j]) for i, j in pairs.items()]
        paths = [follow((start, a), (stop, b), pictures, self.config.follow) for a, b in faces]
        for (a, b), path in zip(faces, paths, strict=True):
            moved = np.abs(a.landmarks - b.landmarks).max() > self.config.motion * a.box[2]
            if path is None and (rests or moved):
                return rests or {(start + stop) // 2}, {}
        found: dict[int, list[Detection]] = {}
        for path in paths:
            for frame, face in (path or {}).items():
                found.setdefault(frame, []).append(face)
        return self._newcomers(start, stop, rests, [*before, *after], pictures), found

    def _newcomers(
        self,
        start: int,
        stop: int,
        rests: set[int],
        faces: list[Detection],
        pictures: ShrunkPictures,
    ) -> set[int]:
        """Frames that show something that the looks before and after them do not."""
        if not rests:
            return rests
        others = [pictures(start), pictures(stop)]
        whole = np.tile(others[0].shape[::-1] * pictures.factors(start), 2)
        known = [face.box / whole for face in faces]
        return {frame for frame in rests if has_newcomer(pictures(frame), others, known)}


def load_default_detector() -> Detector:
    """Load the full-range BlazeFace on the CPU."""
    from modalities.vision import load_face_detector

    return load_face_detector("full")
