"""Transcripts as files."""

import json
from collections.abc import Callable
from pathlib import Path

from modalities.whole_file import replace_when_whole
from tasks.avsr.outputs.transcript import Transcript


def write_transcript(transcript: Transcript, path: Path) -> None:
    """Write a transcript in the format that the suffix names.

    Raises:
        ValueError: No writer has that suffix.
        OSError: The file cannot be written; nothing half-written stays behind.
    """
    text = find_writer(path)(transcript)
    with replace_when_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


def find_writer(path: Path) -> Callable[[Transcript], str]:
    """Return the function that renders a transcript for this path's suffix.

    Raises:
        ValueError: No writer has that suffix.
    """
    if path.suffix.lower() not in WRITERS:
        raise ValueError(
            f"Cannot write {path}: its suffix is {path.suffix!r}; expected one of "
            f"{', '.join(WRITERS)}. Rename the output."
        )
    return WRITERS[path.suffix.lower()]


def to_srt(transcript: Transcript) -> str:
    """Render SubRip subtitles."""
    blocks = [
        f"{number}\n{clock(s.start_s, ',')} --> {clock(s.end_s, ',')}\n{s.text}\n"
        for number, s in enumerate(transcript.segments, start=1)
    ]
    return "\n".join(blocks)


def to_vtt(transcript: Transcript) -> str:
    """Render WebVTT subtitles."""
    blocks = [
        f"{clock(s.start_s, '.')} --> {clock(s.end_s, '.')}\n{_escape(s.text)}\n"
        for s in transcript.segments
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def to_tsv(transcript: Transcript) -> str:
    """Render start and end in milliseconds and the text, a line per segment."""
    rows = ["start\tend\ttext"]
    for segment in transcript.segments:
        text = segment.text.replace("\t", " ")
        rows.append(f"{round(segment.start_s * 1000)}\t{round(segment.end_s * 1000)}\t{text}")
    return "\n".join(rows) + "\n"


def to_txt(transcript: Transcript) -> str:
    """Render the text alone, a line per segment."""
    return "".join(segment.text + "\n" for segment in transcript.segments)


def to_json(transcript: Transcript) -> str:
    """Render the object that `--json` prints."""
    return json.dumps(transcript.to_dict(), ensure_ascii=False, indent=2) + "\n"


def clock(seconds: float, mark: str) -> str:
    """Format seconds as hours:minutes:seconds and milliseconds after a mark."""
    milliseconds = round(max(0.0, seconds) * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02d}:{minutes:02d}:{whole:02d}{mark}{milliseconds:03d}"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


WRITERS: dict[str, Callable[[Transcript], str]] = {
    ".srt": to_srt,
    ".vtt": to_vtt,
    ".json": to_json,
    ".tsv": to_tsv,
    ".txt": to_txt,
}
