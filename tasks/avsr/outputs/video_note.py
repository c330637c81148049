"""One sentence on what became of the video."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.avsr.outputs.transcript import Segment

if TYPE_CHECKING:
    from data_prep.faces import FaceTrack


def describe_use(
    tracks: "Sequence[FaceTrack]", segments: Sequence[Segment], *, given: bool, sets_loaded: bool
) -> str:
    """Say whether the text rests on lips, and why not.

    Args:
        tracks: Faces that were followed.
        segments: All that was said.
        given: Whether the mouth was given rather than looked for.
        sets_loaded: Whether there are adapter sets, without which lips are not read.
    """
    if not given and not tracks:
        return "no face was found in the video"
    faces = "the mouth was given" if given else _count(tracks)
    if not segments:
        return f"{faces}; no speech was heard" + ", and lips alone are not read" * sets_loaded
    used = sum(segment.video_used for segment in segments)
    if used:
        part = "" if used == len(segments) else f" in {used} of {len(segments)} segments"
        return f"mouth crops were used{part}"
    return f"{faces}; text is from the sound alone, as {_why_unused(segments, sets_loaded)}"


def _count(tracks: "Sequence[FaceTrack]") -> str:
    talking = sum(bool(track.chosen.any()) for track in tracks)
    return f"{len(tracks)} {'face' if len(tracks) == 1 else 'faces'} followed, {talking} talking"


def _why_unused(segments: Sequence[Segment], sets_loaded: bool) -> str:
    if not sets_loaded:
        return "no adapter set is loaded"
    if any(segment.agreement is not None for segment in segments):
        return "lips and sound do not belong together"
    if any(segment.adapter_set for segment in segments):
        return "the sets know no face that was seen, or its lips could not be read"
    return "no adapter set knows the sound or the face"
