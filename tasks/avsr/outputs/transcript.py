"""What a transcription gives back, and its file formats."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalities.speech.timed_text import Word
from modalities.whole_file import replace_when_whole
from tasks.avsr.outputs.subtitles import Cue, clean, cut_subtitles, separate

if TYPE_CHECKING:
    from data_prep.faces import FaceTrack


@dataclass(frozen=True)
class Segment:
    """A stretch of speech.

    Attributes:
        start_s: Where it begins, in seconds on the clock of the input.
        end_s: Where it ends, in seconds on the clock of the input.
        text: What is said.
        words: With their times.
        track: The number of the face that says it; None where no face talks or none is seen, and
            in a stream, which does not wait for the end of the shot.
        adapter_set: The set that was switched on, or None for the frozen model.
        scenario: The noise category that the selector heard, or None.
        snr_db: The signal-to-noise ratio that the selector estimated, or None.
        video_used: Whether mouth crops took part in recognition.
        agreement: Probability that lips and sound belong together, or None where no set compared
            them.
        log_probability: Mean over the tokens of the pass that wrote it, or None.
        no_speech: Probability that nobody speaks, by that pass, or None; sets do not tell it.
        enrolled: The talker whose sets were switched on, or None where it were the collection's.
    """

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    track: int | None = None
    adapter_set: str | None = None
    scenario: str | None = None
    snr_db: float | None = None
    video_used: bool = False
    agreement: float | None = None
    log_probability: float | None = field(default=None, compare=False)
    no_speech: float | None = field(default=None, compare=False)
    enrolled: str | None = None

    @property
    def set_and_whose(self) -> str:
        """The set that was switched on, in words, as "me's set all"; "" of the frozen model."""
        if self.adapter_set is None:
            return ""
        whose = f"{self.enrolled}'s " if self.enrolled else ""
        return f"{whose}set {self.adapter_set}"


@dataclass(frozen=True)
class Face:
    """A face that was followed through one shot.

    Attributes:
        track: Its number, by appearance.
        start_s: When it is seen first, in seconds on the clock of the input.
        end_s: When it is seen last, in seconds on the clock of the input.
        box: Median x, y, width and height in pixels of the upright source picture.
        talking_score: 0 to 1, how well the mouth's motion fits the sound.
        chosen: Whether it was taken for the talker anywhere.
        talks: From when to when it was, in seconds on the clock of the input.
    """

    track: int
    start_s: float
    end_s: float
    box: tuple[float, float, float, float]
    talking_score: float | None
    chosen: bool
    talks: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Transcript:
    """A transcription of one input.

    Attributes:
        text: All segments, joined.
        duration_s: Length of what was decoded in seconds, sound and, where it was looked at, video;
            not what a header claims.
        model: Name of the frozen model.
        video_used: Whether mouth crops took part in any segment.
        video_note: One sentence on what became of the video.
        segments: In order of time.
        faces: Every face found, whether it talks or not.
        tracks: These faces with boxes and landmarks of every frame; not written to files.
        sound_note: One sentence on the sound track that was taken, where the file has several;
            else None, and then not written to files.
    """

    text: str
    duration_s: float
    model: str
    video_used: bool
    video_note: str
    segments: tuple[Segment, ...]
    faces: tuple[Face, ...]
    tracks: tuple["FaceTrack", ...] = field(default=(), repr=False, compare=False)
    sound_note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the object that `--json` prints; what is not known is None."""
        return {
            "text": self.text,
            "duration_s": round(self.duration_s, 3),
            "model": self.model,
            "video_used": self.video_used,
            "segments": [_segment_dict(segment) for segment in self.segments],
            "faces": [asdict(face) for face in self.faces],
            **({} if self.sound_note is None else {"sound_note": self.sound_note}),
        }

    def save(self, path: str | Path) -> None:
        """Write .srt, .vtt, .json, .tsv or .txt, by suffix; the file appears whole or not at all.

        Raises:
            ValueError: The suffix is none of these.
            OSError: The file cannot be written.
        """
        write_transcript(self, Path(path))


def _segment_dict(segment: Segment) -> dict[str, Any]:
    keys = ("start_s", "end_s", "text", "adapter_set", "scenario", "snr_db", "video_used")
    words = [asdict(word) for word in segment.words]
    told = {key: getattr(segment, key) for key in keys}
    told |= {"words": words, "agreement": segment.agreement, "face": segment.track}
    return told if segment.enrolled is None else told | {"enrolled": segment.enrolled}


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
    """Render SubRip subtitles: two lines of 42 columns at most."""
    blocks = [
        f"{number}\n{clock(cue.start_s, ',')} --> {clock(cue.end_s, ',')}\n{_join(cue.lines)}\n"
        for number, cue in enumerate(_cues_of(transcript), start=1)
    ]
    return "\n".join(blocks)


def to_vtt(transcript: Transcript) -> str:
    """Render WebVTT subtitles: two lines of 42 columns at most."""
    blocks = [
        f"{clock(cue.start_s, '.')} --> {clock(cue.end_s, '.')}\n{_escape(_join(cue.lines))}\n"
        for cue in _cues_of(transcript)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def to_tsv(transcript: Transcript) -> str:
    """Render start and end in milliseconds and the text, a line per segment.

    Tabs and line breaks in the text are spaces. A text that begins with a quotation mark is quoted
    as in CSV, where readers would take the mark for their own.
    """
    said = [segment for segment in transcript.segments if clean(segment.text)]
    spans = separate([(segment.start_s, segment.end_s) for segment in said], transcript.duration_s)
    rows = ["start\tend\ttext"]
    for (start_s, end_s), segment in zip(spans, said, strict=True):
        text = clean(segment.text)
        text = '"' + text.replace('"', '""') + '"' if text.startswith('"') else text
        rows.append(f"{round(start_s * 1000)}\t{round(end_s * 1000)}\t{text}")
    return "\n".join(rows) + "\n"


def to_txt(transcript: Transcript) -> str:
    """Render the text alone, a line per segment."""
    return "".join(clean(segment.text) + "\n" for segment in transcript.segments)


def _cues_of(transcript: Transcript) -> tuple[Cue, ...]:
    return cut_subtitles(transcript.segments, transcript.duration_s)


def _join(lines: tuple[str, ...]) -> str:
    return "\n".join(lines)


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
