"""Segments cut into subtitles that fit on a screen."""

from dataclasses import dataclass
from functools import lru_cache

from tasks.avsr.outputs.transcript import Segment

MAX_CHARACTERS = 76


@dataclass(frozen=True)
class Cue:
    """A subtitle, seconds on the clock of the input."""

    start_s: float
    end_s: float
    text: str


@lru_cache(maxsize=4)
def cues_of(segments: tuple[Segment, ...]) -> tuple[Cue, ...]:
    """Cut segments at word times into subtitles of at most two short lines."""
    return tuple(cue for segment in segments for cue in _cut(segment))


def _cut(segment: Segment) -> list[Cue]:
    if len(segment.text) <= MAX_CHARACTERS or not segment.words:
        return [Cue(segment.start_s, segment.end_s, segment.text)]
    groups: list[list] = [[]]
    for word in segment.words:
        line = " ".join(w.text for w in [*groups[-1], word])
        if groups[-1] and len(line) > MAX_CHARACTERS:
            groups.append([])
        groups[-1].append(word)
    starts = [segment.start_s, *(group[0].start_s for group in groups[1:])]
    stops = [*starts[1:], segment.end_s]
    return [
        Cue(start_s, stop_s, " ".join(word.text for word in group))
        for start_s, stop_s, group in zip(starts, stops, groups, strict=True)
    ]
