"""mcgurk crop."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tasks.cli.options import (
    AsJson,
    AudioTrack,
    Box,
    Device,
    Landmarks,
    MediaPath,
    parse_box,
    with_default,
)
from tasks.cli.progress import progress_bar


def crop(
    file: MediaPath,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help=with_default("The mouth video.", "FILE.mouth.mp4")),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help=with_default("The report.", "beside the mouth video, .json")),
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="A contact sheet of the crops to look at, .png or .jpg.")
    ] = None,
    landmarks: Landmarks = None,
    box: Box = None,
    audio_track: AudioTrack = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Write the talker's mouth as a video, and a report on faces.

    The video is 96x96, grey, 25 pictures a second, and follows whoever talks, stretch by stretch of
    speech; it is black where no face does. The report tells of every face, and when it talks.
    """
    from tasks.avsr.crop import check_default_paths, check_paths, write_mouths
    from tasks.avsr.inputs.media import ReadyMouth

    video = output or Path(f"{file.stem}.mouth.mp4")
    written = report or video.with_suffix(".json")
    ready = ReadyMouth(None, landmarks, parse_box(box) if box else None)
    check_paths(file, video, written, sheet, ready)
    check_default_paths(file, None if output else video, None if report else written)
    with progress_bar(f"Cropping {file.name}", hidden=as_json) as show:
        found = write_mouths(file, video, written, ready, device, show, sheet, audio_track)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, allow_nan=False))
        return
    print(f"{video}: {found['frames_with_video']} of {found['frames']} frames show a mouth.")
    for track in found["tracks"]:
        state = track["reason"] or "talks " + ", ".join(f"{a} to {b} s" for a, b in track["talks"])
        print(f"  face {track['track']}: {track['start_s']} to {track['end_s']} s, {state}")
    print(f"Report: {written}")
    if note := found.get("sound_note"):
        print(f"Sound: {note}.", file=sys.stderr)
