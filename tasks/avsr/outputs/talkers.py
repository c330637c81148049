"""Which face says a segment, by who talked at the time of its words."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from modalities.rates import VIDEO_RATE_HZ
from tasks.avsr.outputs.transcript import Segment

if TYPE_CHECKING:
    from data_prep.faces import FaceTrack


def name_talkers(segments: Sequence[Segment], tracks: "Sequence[FaceTrack]") -> tuple[Segment, ...]:
    """Give each segment the face that says it.

    Args:
        segments: In order of time.
        tracks: All faces, with the frames in which each was taken as the talker.

    Returns:
        The segments; one in which a face talks after another is cut between their words.
    """
    return tuple(part for segment in segments for part in _name(segment, tracks))


def find_talker(tracks: "Sequence[FaceTrack]", start_s: float, end_s: float) -> int | None:
    """Return the face that talks most of the frames between two times, or None."""
    frames = {track.track: _talking_frames(track, start_s, end_s) for track in tracks}
    best = max(frames, key=lambda track: frames[track], default=None)
    return best if best is not None and frames[best] else None


def _name(segment: Segment, tracks: "Sequence[FaceTrack]") -> list[Segment]:
    talker = find_talker(tracks, segment.start_s, segment.end_s)
    said_by: list[int | None] = []
    for word in segment.words:
        said = find_talker(tracks, word.start_s, word.end_s)
        said_by.append((said_by[-1] if said_by else talker) if said is None else said)
    runs = [list(run) for _, run in groupby(range(len(said_by)), key=lambda i: said_by[i])]
    if len(runs) < 2:
        return [replace(segment, track=talker)]
    parts = []
    for number, run in enumerate(runs):
        words = segment.words[run[0] : run[-1] + 1]
        first, last = number == 0, number == len(runs) - 1
        parts.append(
            replace(
                segment,
                start_s=segment.start_s if first else words[0].start_s,
                end_s=segment.end_s if last else words[-1].end_s,
                text=" ".join(word.text for word in words),
                words=words,
                track=said_by[run[0]],
            )
        )
    return parts


def _talking_frames(track: "FaceTrack", start_s: float, end_s: float) -> int:
    first = max(0, round(start_s * VIDEO_RATE_HZ) - track.start_frame)
    last = max(first + 1, round(end_s * VIDEO_RATE_HZ) - track.start_frame)
    return int(track.chosen[first:last].sum())
