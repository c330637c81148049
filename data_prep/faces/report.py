"""Say in plain numbers which faces were found and which was taken."""

from collections.abc import Sequence
from math import floor
from typing import Any

import numpy as np

from data_prep.faces.results import FaceTrack, Totals
from data_prep.faces.talking import TalkConfig


def build_report(
    tracks: Sequence[FaceTrack], totals: Totals, talking: TalkConfig | None = None
) -> dict[str, Any]:
    """Describe the outcome of the face stage.

    Args:
        tracks: All tracks.
        totals: Counts.
        talking: The settings the talker was chosen with.

    Returns:
        Numbers, strings and lists only, ready for JSON.
    """
    least_score = (talking or TalkConfig()).least_score
    with_video = sum(int(track.chosen.sum()) for track in tracks)
    return {
        "frames": totals.frames,
        "frames_with_video": with_video,
        "frames_looked_at": totals.frames_looked_at,
        "shots": totals.shots,
        "tracks_dropped": totals.tracks_dropped,
        "summary": _summarize(with_video, len(tracks)),
        "tracks": [_describe(track, tracks, least_score) for track in tracks],
    }


def _summarize(with_video: int, faces: int) -> str:
    if with_video:
        return "a talking face was used"
    return "no face found" if faces == 0 else "faces found, but none that talks"


def _describe(track: FaceTrack, tracks: Sequence[FaceTrack], least_score: float) -> dict[str, Any]:
    score = track.talking_score
    return {
        "track": track.track,
        "shot": track.shot,
        "start_s": round(track.start_s, 2),
        "end_s": round(track.end_s, 2),
        "frames": track.frames,
        "frames_detected": int(track.detected.sum()),
        "frames_interpolated": int((~track.detected).sum()),
        "frames_invalid": int((~track.valid).sum()),
        "frames_chosen": int(track.chosen.sum()),
        "median_box": [round(float(value), 1) for value in track.median_box],
        "median_face_width": round(float(np.median(track.boxes[:, 2])), 1),
        "median_score": round(track.median_score, 3),
        "talking_score": None if score is None else round(score, 3),
        "chosen": bool(track.chosen.any()),
        "talks": [list(times) for times in track.talks_s],
        "reason": _reason(track, tracks, least_score),
    }


def _reason(track: FaceTrack, tracks: Sequence[FaceTrack], least_score: float) -> str | None:
    """Why a track was not taken; None if it was."""
    if track.chosen.any():
        return None
    if not track.valid.any():
        return "the mouth is outside the picture"
    if track.talking_score is not None and track.talking_score < least_score:
        shown = floor(track.talking_score * 100) / 100  # rounded up it would not be below
        return f"talking score {shown:.2f} is below {least_score:.2f}"
    others = [
        str(other.track)
        for other in tracks
        if other.chosen.any()
        and other.start_frame < track.stop_frame
        and track.start_frame < other.stop_frame
    ]
    if not others:
        return "the mouth does not move as in speech"
    return f"track {', '.join(others)} is more likely to talk"
