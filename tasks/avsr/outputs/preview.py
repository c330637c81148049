"""A video that shows what was found: faces, the talker's mouth, subtitles, the original sound."""

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from data_prep.faces import FaceView, crop_mouth, replay
from data_prep.media import VideoFrame, probe, stream_video
from data_prep.media.redrawn import redraw
from modalities.outputs import check_outputs
from modalities.rates import VIDEO_RATE_HZ
from tasks.avsr.inputs.media import ANALYSIS_SIDE
from tasks.avsr.outputs.drawing import Painter
from tasks.avsr.outputs.subtitles import Cue, cut_subtitles
from tasks.avsr.outputs.transcript import Transcript
from tasks.pictures.fonts import check_font
from tasks.pictures.lettering import Lettering


def check_preview_path(path: Path, source: Path, fonts: Sequence[Path] = ()) -> None:
    """Check what can be checked before the work begins.

    Raises:
        FileNotFoundError: There is no such font.
        ValueError: Not a .mp4 path, or the source itself, or the source has no video, or a font
            cannot be read.
        OSError: The file cannot be written.
    """
    for font in fonts:
        check_font(font)
    if path.suffix.lower() != ".mp4":
        raise ValueError(f"Cannot write {path}: a preview is .mp4. Rename the output.")
    check_outputs([path], [source])
    if probe(source, measure=False).video is None:
        raise ValueError(f"{source} has no video to preview. Leave --preview out.")


def write_preview(
    source: Path,
    transcript: Transcript,
    path: Path,
    progress: Callable[[float, float | None], None] | None = None,
    fonts: Sequence[Path] = (),
    audio_track: int | None = None,
) -> str | None:
    """Draw a transcript over its video.

    Text of any script is shaped and set in its own direction, where a font has its letters; where
    none has, a note stands in its place.

    Args:
        source: The file that was transcribed.
        transcript: Its result, with tracks.
        path: The .mp4 to write; it appears whole or not at all.
        progress: Called with the seconds done and the duration.
        fonts: Font files for the text, before matplotlib's own and those installed.
        audio_track: The sound track that was transcribed; None: the main one.

    Returns:
        A sentence on scripts that no font has, or None where all was drawn.

    Raises:
        ValueError: The path is no .mp4 or the source itself, or the source has no video.
        OSError: The file cannot be written.
    """
    check_preview_path(path, source, fonts)
    frames = stream_video(source, rate_hz=VIDEO_RATE_HZ, max_side=ANALYSIS_SIDE)
    first = next(frames)
    height, width = first.rgb().shape[:2]
    lettering = Lettering(fonts)
    painter = Painter(width, height, lettering)
    cues = cut_subtitles(transcript.segments, transcript.duration_s)
    with redraw(source, path, painter.size, VIDEO_RATE_HZ, audio_track) as write:
        for frame, faces in replay(transcript.tracks, chain([first], frames)):
            write(_draw(painter, frame, faces, transcript, cues), frame.index)
            if progress:
                progress(frame.time_s, transcript.duration_s)
    return _tell_missing(lettering)


def _tell_missing(lettering: Lettering) -> str | None:
    if not lettering.missing:
        return None
    return (
        f"Preview: no font here has the letters of {', '.join(lettering.missing)}; a note stands "
        "for these subtitles. Name one with --font, or install one: pip install 'mcgurk[fonts]', "
        "or a Noto font of the system."
    )


def _draw(
    painter: Painter,
    frame: VideoFrame,
    faces: list[FaceView],
    transcript: Transcript,
    cues: Sequence[Cue],
) -> np.ndarray:
    painter.start(frame.rgb())
    scores = {face.track: face.talking_score for face in transcript.faces}
    for face in faces:
        if face.chosen and face.valid:
            painter.inset(crop_mouth(frame.gray(), face.landmarks))
    for face in faces:  # over the inset, so that no label is hidden
        painter.face(face.box, face.track, scores[face.track], face.chosen)
    for cue in cues:
        if cue.start_s <= frame.time_s < cue.end_s:
            painter.subtitle(cue.text)
            break
    return painter.canvas
