"""One piece of a shot: collect the crops of every face, then take those of the talker."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from data_prep.faces.crops import crop_mouth, crop_upper_face, is_inside
from data_prep.faces.results import NO_TRACK, FaceTrack, MouthChunk
from data_prep.faces.talking import RunningScore, TalkConfig, score_talking
from data_prep.faces.tracks import OpenTrack, Stretch
from modalities.rates import CROP_SIDE


@dataclass(eq=False)
class Record:
    """What is kept of a track until the end: numbers per frame, no pictures."""

    source: OpenTrack
    stretches: list[Stretch] = field(default_factory=list)
    valid: list[np.ndarray] = field(default_factory=list)
    chosen: list[np.ndarray] = field(default_factory=list)
    score: RunningScore = field(default_factory=RunningScore)
    number: int = NO_TRACK

    def finish(self) -> FaceTrack:
        """Join the stretches of all pieces that are finished."""
        chosen = np.concatenate(self.chosen)
        part = slice(len(chosen))
        return FaceTrack(
            track=self.number,
            shot=self.source.shot,
            start_frame=self.stretches[0].start_frame,
            boxes=np.concatenate([s.boxes for s in self.stretches])[part],
            landmarks=np.concatenate([s.landmarks for s in self.stretches])[part],
            detected=np.concatenate([s.detected for s in self.stretches])[part],
            valid=np.concatenate(self.valid)[part],
            chosen=chosen,
            median_score=float(np.median(self.source.scores)),
            talking_score=self.score.value if self.score.frames else None,
        )


class Candidate:
    """The pictures of one track in one piece."""

    def __init__(self, record: Record):
        self.record = record
        self.start_frame = -1
        self.mouths: list[np.ndarray] = []
        self.upper: list[np.ndarray] = []
        self.valid: list[bool] = []

    def add(self, stretch: Stretch, picture: Callable[[int], np.ndarray]) -> None:
        """Crop the final frames of the track."""
        if self.start_frame < 0:
            self.start_frame = stretch.start_frame
        height, width = picture(stretch.start_frame).shape
        valid = is_inside(stretch.landmarks, height, width)
        for offset, points in enumerate(stretch.landmarks):
            gray = picture(stretch.start_frame + offset)
            self.mouths.append(crop_mouth(gray, points))
            self.upper.append(crop_upper_face(gray, points))
        self.valid.extend(valid.tolist())
        self.record.stretches.append(stretch)
        self.record.valid.append(valid)

    @property
    def area(self) -> float:
        """Size times duration: what makes a face important where there is no sound."""
        boxes = [s.boxes for s in self.record.stretches]
        return float(np.median(np.concatenate(boxes)[:, 2])) * sum(self.valid)


class Piece:
    """The frames of a shot from `start` on, up to its end or 30 s."""

    def __init__(self, start: int, config: TalkConfig):
        self.start = start
        self.config = config
        self._candidates: dict[OpenTrack, Candidate] = {}

    def add(self, record: Record, stretch: Stretch, picture: Callable[[int], np.ndarray]) -> None:
        """Take final frames of a track, if there are any."""
        if len(stretch.boxes) == 0:
            return
        candidate = self._candidates.setdefault(record.source, Candidate(record))
        candidate.add(stretch, picture)

    def finish(
        self, stop: int, loudness: np.ndarray | None, repeated: np.ndarray, numbers: Iterator[int]
    ) -> tuple[MouthChunk, list[Record]]:
        """Choose the talker.

        Args:
            stop: The frame after the last one.
            loudness: [frames, 8], of `hear`; None without sound.
            repeated: bool [frames], the picture is the one before.
            numbers: Gives the next free number of a track.

        Returns:
            The chunk, and the tracks that now first proved to be faces, by first appearance.
        """
        kept = [c for c in self._candidates.values() if c.valid and c.record.source.is_kept]
        kept.sort(key=lambda candidate: candidate.start_frame)
        new = [c.record for c in kept if c.record.number == NO_TRACK]
        for record in new:
            record.number = next(numbers)
        for candidate in kept:
            self._score(candidate, loudness, repeated)
        chunk = self._chunk(stop, self._talkers(kept, loudness is not None))
        for candidate in self._candidates.values():
            part = slice(candidate.start_frame - self.start, None)
            taken = chunk.track[part][: len(candidate.valid)] == candidate.record.number
            candidate.record.chosen.append(taken & (candidate.record.number != NO_TRACK))
        return chunk, new

    def _score(
        self, candidate: Candidate, loudness: np.ndarray | None, repeated: np.ndarray
    ) -> None:
        if loudness is None:
            return
        start = candidate.start_frame - self.start
        part = slice(start, start + len(candidate.valid))
        score = score_talking(
            np.stack(candidate.mouths), np.stack(candidate.upper),
            loudness[part], repeated[part], self.config,
        )  # fmt: skip
        candidate.record.score.add(score, len(candidate.valid))

    def _talkers(self, kept: list[Candidate], has_sound: bool) -> list[Candidate]:
        """Those who may be talking, the most likely first."""
        if not has_sound:
            return sorted(kept, key=lambda candidate: candidate.area, reverse=True)
        able = [c for c in kept if c.record.score.value >= self.config.least_score]
        return sorted(able, key=lambda candidate: candidate.record.score.value, reverse=True)

    def _chunk(self, stop: int, talkers: list[Candidate]) -> MouthChunk:
        """The best talker; where that face is away, the next one that may be talking."""
        frames = stop - self.start
        crops = np.zeros((frames, CROP_SIDE, CROP_SIDE), np.uint8)
        mask = np.zeros(frames, bool)
        track = np.full(frames, NO_TRACK, np.int32)
        taken = np.zeros(frames, bool)
        for candidate in talkers:
            first = candidate.start_frame - self.start
            part = slice(first, first + len(candidate.valid))
            use = np.array(candidate.valid, bool) & ~taken[part]
            crops[part][use] = np.stack(candidate.mouths)[use]
            track[part][use] = candidate.record.number
            mask[part] |= use
            taken[part] = True
        return MouthChunk(self.start, crops, mask, track)
