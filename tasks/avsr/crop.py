"""Mouth videos for others: the talker's crops as a file, and a report on what was found."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_prep.faces import FaceFinder, FromFirstPicture, MouthChunk, build_report
from data_prep.faces.mouth_video import find_mouths, is_mouth_video, write_mouth_video
from data_prep.media import describe_choice, probe, stream_audio
from data_prep.media.tracks import SILENCE
from modalities.outputs import check_outputs
from modalities.printable import printable
from modalities.rates import VIDEO_RATE_HZ
from modalities.whole_file import replace_when_whole
from tasks.avsr.inputs.media import ReadyMouth, open_pictures
from tasks.avsr.outputs.contact_sheet import ContactSheet, check_sheet_path

if TYPE_CHECKING:
    from tasks.avsr.pipeline import Progress


def write_mouths(
    source: str | Path,
    video: Path,
    report: Path,
    ready: ReadyMouth | None = None,
    device: str = "cpu",
    progress: "Progress | None" = None,
    sheet: Path | None = None,
    audio_track: int | None = None,
) -> dict[str, Any]:
    """Crop the talker's mouth out of a video.

    Args:
        source: A file with video; its sound tells who talks, for each stretch of speech.
        video: The .mp4 or .mkv to write: 96x96 grey at 25 frames per second, lossless H.264; black
            where no mouth is seen.
        report: The .json to write: what was found per track, and the mask of the frames.
        ready: Mouth crops, landmarks or a box, in place of the detector; None looks for faces.
        device: "auto", "cpu", "cuda" or "mps", where the face detector runs.
        progress: Called with the seconds done and the duration.
        sheet: A contact sheet to write, .png or .jpg: up to 100 crops, evenly spaced.
        audio_track: The sound track that tells who talks; None: the main one.

    Returns:
        The report.

    Raises:
        ValueError: No video, or a path with another suffix, or that of an input or another output.
        OSError: A file cannot be written.
    """
    check_paths(source, video, report, sheet, ready)
    ready = ready or ReadyMouth()
    info = probe(source, measure=False)
    if info.video is None:
        raise ValueError(f"{source} has no video; expected pictures to crop mouths from.")
    pictures = open_pictures(source, ready, info)
    finder = FromFirstPicture(pictures["mouth"] or _open_finder(device))
    blocks = None if info.audio is None else _Heard(stream_audio(source, 1.0, audio_track))
    contacts = ContactSheet()

    def kept() -> Iterator[MouthChunk]:
        for chunk in find_mouths(finder, pictures["frames"](), blocks, looked_at):
            contacts.add(chunk)
            yield chunk

    def looked_at(done_s: float) -> None:
        if progress:
            progress(done_s, info.duration_s)

    with replace_when_whole(report) as partial_report:
        mask = write_mouth_video(video, kept())
        found = _report(source, finder, mask)
        silent = blocks is not None and blocks.loudest <= SILENCE
        if note := describe_choice(source, audio_track, silent):
            found["sound_note"] = note
        told = printable(json.dumps(found, ensure_ascii=False, indent=2))
        partial_report.write_text(told + "\n", encoding="utf-8")
        if sheet is not None:
            contacts.save(sheet)
    return found


class _Heard:
    """Hands on blocks of sound and keeps the largest sample."""

    def __init__(self, blocks: Iterator[np.ndarray]):
        self.blocks = blocks
        self.loudest = 0.0

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        block = next(self.blocks)
        self.loudest = max(self.loudest, float(np.abs(block).max(initial=0)))
        return block


def _open_finder(device: str) -> FaceFinder:
    """Load the detector; what is wrong with the files has been told before."""
    from tasks.avsr.pipeline import load_faces

    return FaceFinder(load_faces(device))


def check_paths(
    source: str | Path,
    video: Path,
    report: Path,
    sheet: Path | None = None,
    ready: ReadyMouth | None = None,
) -> None:
    """Check the outputs before the work begins.

    Raises:
        ValueError: A path has another suffix, is an input, or another output.
        OSError: A path cannot be written.
    """
    if video.suffix.lower() not in (".mp4", ".mkv"):
        raise ValueError(f"Cannot write {video}: a mouth video is .mp4 or .mkv. Rename the output.")
    if report.suffix.lower() != ".json":
        raise ValueError(f"Cannot write {report}: a report is .json. Rename the output.")
    if sheet is not None:
        check_sheet_path(sheet)
    read = (ready.video, ready.landmarks) if ready else ()
    check_outputs((video, report, sheet), (source, *read))


def check_default_paths(source: Path, video: Path | None, report: Path | None) -> None:
    """Check that files whose names the user did not type replace none but such as crop wrote.

    Args:
        source: The file that is cropped.
        video: The mouth video; None where its name was typed.
        report: The report; None where its name was typed.

    Raises:
        ValueError: One is there that crop did not write, or wrote about another file.
    """
    if video is not None and video.exists() and not is_mouth_video(video):
        raise ValueError(
            f"{video} is there, and mcgurk did not write it. Name the mouth video with -o."
        )
    if report is None or not report.exists():
        return
    cropped = _source_of(report)
    if cropped is None:
        raise ValueError(
            f"{report} is there, and is no report of mcgurk crop. Name the report with --report."
        )
    if cropped.exists() and not cropped.samefile(source):
        raise ValueError(
            f"{report} is the report on {cropped}. Name the mouth video with -o, so that this one "
            "stays."
        )


def _source_of(report: Path) -> Path | None:
    """Return which file a report is on; None where it is no report."""
    try:
        found = json.loads(report.read_text(encoding="utf-8"))
        return Path(found["source"]) if {"rate_hz", "frames", "mask"} <= set(found) else None
    except (ValueError, TypeError, KeyError, OSError):
        return None


def _report(source: str | Path, finder: FromFirstPicture, mask: np.ndarray) -> dict[str, Any]:
    report: dict[str, Any] = {"source": str(source), "rate_hz": VIDEO_RATE_HZ}
    if isinstance(finder.source, FaceFinder):
        report |= build_report(finder.tracks(), finder.source.totals)
        report["frames"] = len(mask)  # with those before the first picture
    else:
        with_mouth = int(mask.sum())
        report |= {"frames": len(mask), "frames_with_video": with_mouth, "tracks": []}
    return report | {"mask": mask.astype(int).tolist()}
