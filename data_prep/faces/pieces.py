"""One piece of a shot: collect the crops of every face, then take those of the talker."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from data_prep.faces.crops import crop_faces, is_inside
from data_prep.faces.results import NO_TRACK, FaceTrack, MouthChunk
from data_prep.faces.talking import Evidence, RunningScore, TalkConfig
from data_prep.faces.tracks import OpenTrack, Stretch
from data_prep.faces.turns import (
    NOBODY,
    STILL_COST,
    Span,
    Turn,
    choose_talkers,
    cut_turns,
    place_changes,
)
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
        self.evidence: Evidence | None = None
        self.mouths: list[np.ndarray] = []
        self.upper: list[np.ndarray] = []
        self.valid: list[bool] = []

    def add(self, stretch: Stretch, picture: Callable[[int], np.ndarray], has_sound: bool) -> None:
        """Crop the final frames of the track; who talks is asked only where there is sound."""
        if self.start_frame < 0:
            self.start_frame = stretch.start_frame
        height, width = picture(stretch.start_frame).shape
        valid = is_inside(stretch.landmarks, height, width)
        grays = [picture(stretch.start_frame + offset) for offset in range(len(valid))]
        mouths, upper = crop_faces(grays, stretch.landmarks, with_upper=has_sound)
        self.mouths.extend(mouths)
        self.upper.extend(upper)
        self.valid.extend(valid.tolist())
        self.record.stretches.append(stretch)
        self.record.valid.append(valid)

    def part(self, span: Span, start: int) -> slice:
        """Its own frames within a span that counts from frame `start`; possibly none."""
        first = start - self.start_frame
        return slice(*(min(max(0, first + at), len(self.valid)) for at in span))

    def gain(self, turn: Turn, start: int) -> tuple[float, float]:
        """How far its score in a turn lies above the least one, times frames; and the score."""
        assert self.evidence is not None
        config, part = self.evidence.config, self.part(turn.voice, start)
        frames = part.stop - part.start
        if frames == 0:
            return 0.0, 0.0
        if not turn.heard or self.evidence.is_still(part):
            return -STILL_COST * config.least_score * frames, 0.0
        score = self.evidence.score_turn(part)
        return (score - config.least_score) * frames, score

    @property
    def area(self) -> float:
        """Size times duration: what makes a face important where there is no sound."""
        boxes = [s.boxes for s in self.record.stretches]
        return float(np.median(np.concatenate(boxes)[:, 2])) * sum(self.valid)


class Piece:
    """The frames of a shot from `start` on, up to its end or 30 s.

    Args:
        start: First frame.
        config: How the talker is chosen.
        talker: Who talked last, where the shot has begun before.
    """

    def __init__(self, start: int, config: TalkConfig, talker: OpenTrack | None = None):
        self.start = start
        self.config = config
        self.talker = talker
        self._candidates: dict[OpenTrack, Candidate] = {}

    def add(
        self,
        record: Record,
        stretch: Stretch,
        picture: Callable[[int], np.ndarray],
        has_sound: bool,
    ) -> None:
        """Take final frames of a track, if there are any."""
        if len(stretch.boxes) == 0:
            return
        candidate = self._candidates.setdefault(record.source, Candidate(record))
        candidate.add(stretch, picture, has_sound)

    def finish(
        self,
        stop: int,
        loudness: np.ndarray | None,
        speech: Sequence[Span],
        repeated: np.ndarray,
        numbers: Iterator[int],
    ) -> tuple[MouthChunk, list[Record]]:
        """Choose the talker of each stretch of speech; `talker` is then the last one.

        Args:
            stop: The frame after the last one.
            loudness: [frames, 8], of `hear`; None without sound.
            speech: Stretches of speech, first frame and the one after the last, from 0 on.
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
        chunk = self._empty(stop)
        if loudness is None:
            everything = (0, chunk.frames)
            self._show(chunk, everything, sorted(kept, key=lambda c: c.area, reverse=True))
        else:
            self._listen(chunk, kept, cut_turns(chunk.frames, speech, loudness), loudness, repeated)
        for candidate in self._candidates.values():
            part = slice(candidate.start_frame - self.start, None)
            taken = chunk.track[part][: len(candidate.valid)] == candidate.record.number
            candidate.record.chosen.append(taken & (candidate.record.number != NO_TRACK))
        return chunk, new

    def _listen(
        self,
        chunk: MouthChunk,
        kept: list[Candidate],
        turns: list[Turn],
        loudness: np.ndarray,
        repeated: np.ndarray,
    ) -> None:
        """Take the talker of each turn; where that face is away, the next that may be talking."""
        for candidate in kept:
            start = candidate.start_frame - self.start
            part = slice(start, start + len(candidate.valid))
            candidate.evidence = Evidence(
                np.stack(candidate.mouths), np.stack(candidate.upper),
                loudness[part], repeated[part], self.config,
            )  # fmt: skip
        told = [[candidate.gain(turn, self.start) for candidate in kept] for turn in turns]
        told = np.array(told).reshape(len(turns), len(kept), 2)
        gains, scores = told[..., 0], told[..., 1]
        talkers = choose_talkers(turns, gains, self._last(kept))
        self.talker = kept[talkers[-1]].record.source if talkers[-1] != NOBODY else None
        shown = place_changes(turns, talkers, self._motion(kept, chunk.frames))
        for turn, talker, score in zip(shown, talkers, scores, strict=True):
            if talker == NOBODY:
                continue
            able = [i for i in np.argsort(-score, kind="stable") if self._is_able(score[i])]
            order = [talker, *(i for i in able if i != talker)]
            self._show(chunk, (turn.start, turn.stop), [kept[i] for i in order])
        for number, candidate in enumerate(kept):
            chosen = np.array([talker == number for talker in talkers])
            self._score(candidate, turns, scores[:, number], chosen)

    def _motion(self, kept: list[Candidate], frames: int) -> np.ndarray:
        """Motion of each mouth over that of its upper face, [frames, faces + 1]; last nobody's."""
        motion = np.zeros((frames, len(kept) + 1))
        motion[:, NOBODY] = self.config.still_ratio
        for column, candidate in zip(motion.T, kept, strict=False):
            assert candidate.evidence is not None
            first = candidate.start_frame - self.start
            column[first : first + len(candidate.valid)] = candidate.evidence.ratios
        return motion

    def _last(self, kept: list[Candidate]) -> int:
        """The place of who talked last among some faces, or NOBODY."""
        places = [i for i, c in enumerate(kept) if c.record.source is self.talker]
        return places[0] if places else NOBODY

    def _is_able(self, score: float) -> bool:
        return score >= self.config.least_score

    def _score(
        self, candidate: Candidate, turns: list[Turn], scores: np.ndarray, chosen: np.ndarray
    ) -> None:
        """Take down how likely it talks: over all frames, or the turns in which it was chosen."""
        assert candidate.evidence is not None
        parts = [candidate.part(turn.voice, self.start) for turn in turns]
        frames = np.array([part.stop - part.start for part in parts])
        here = frames > 0
        score = candidate.evidence.score()
        if here.any() and not chosen[here].all():
            if chosen.any():
                taken = chosen & here
                score = float(np.average(scores[taken], weights=frames[taken]))
            else:
                score = min(score, float(np.average(scores[here], weights=frames[here])))
        candidate.record.score.add(score, len(candidate.valid))

    def _empty(self, stop: int) -> MouthChunk:
        frames = stop - self.start
        crops = np.zeros((frames, CROP_SIDE, CROP_SIDE), np.uint8)
        track = np.full(frames, NO_TRACK, np.int32)
        return MouthChunk(self.start, crops, np.zeros(frames, bool), track)

    def _show(self, chunk: MouthChunk, span: Span, candidates: Sequence[Candidate]) -> None:
        """Put the first of some faces into a part of a chunk; where it is away, the next."""
        taken = np.zeros(chunk.frames, bool)
        for candidate in candidates:
            own = candidate.part(span, self.start)
            if own.stop == own.start:
                continue
            first = candidate.start_frame - self.start
            part = slice(first + own.start, first + own.stop)
            use = np.array(candidate.valid[own], bool) & ~taken[part]
            if use.any():
                chunk.crops[part][use] = np.stack(candidate.mouths[own])[use]
            chunk.track[part][use] = candidate.record.number
            chunk.mask[part] |= use
            taken[part] = True
