"""Clips with what is known about them, one JSON object a line."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.json_lines import read_entries
from modalities.speech.timed_text import Word

MANIFEST = "manifest.jsonl"


@dataclass(frozen=True)
class Clip:
    """A recording of one utterance.

    Attributes:
        id: Unique in its manifest; also the name of its files.
        media: The recording, absolute or relative to the manifest's folder.
        text: What is said, or None.
        speaker: Who, or None.
        words: With times, where these are known.
        duration_s: Length of the sound; None until it is prepared.
        frames: How many pictures the mouth video has, 25 per second; None without video.
        mouth: The mouth video, relative to the manifest's folder; None without.
        seen: Stretches of its frames that show a mouth, first and the one after the last.
        audio_track: The sound track that was prepared, where it was asked for; None: the main one.
    """

    id: str
    media: str
    text: str | None = None
    speaker: str | None = None
    words: tuple[Word, ...] = ()
    duration_s: float | None = None
    frames: int | None = None
    mouth: str | None = None
    seen: tuple[tuple[int, int], ...] = ()
    audio_track: int | None = None

    def mask(self) -> np.ndarray:
        """Return where a mouth is seen, bool [frames]."""
        mask = np.zeros(self.frames or 0, bool)
        for start, stop in self.seen:
            mask[start:stop] = True
        return mask

    def to_data(self) -> dict[str, Any]:
        """Return what stands in a line, as JSON takes it; `from_data` reads it."""
        # The order of a word's entries is that of all manifests since the first.
        words = [{"text": w.text, "start_s": w.start_s, "end_s": w.end_s} for w in self.words]
        data = {**asdict(self), "words": words}
        if self.audio_track is None:  # almost always: manifests stay as they were
            del data["audio_track"]
        return data

    def to_json(self) -> str:
        """Return one line without its end."""
        return json.dumps(self.to_data(), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "Clip":
        """Read what `to_json` returned.

        Raises:
            ValueError: It is damaged, or of another form.
        """
        return cls.from_data(json.loads(line))

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> "Clip":
        """Read what `to_data` returned.

        Raises:
            ValueError: It is of another form.
        """
        try:
            words = tuple(Word(**word) for word in data.get("words", ()))
            seen = tuple((int(start), int(stop)) for start, stop in data.get("seen", ()))
            return cls(**{**data, "words": words, "seen": seen})
        except (TypeError, AttributeError) as error:
            raise ValueError(f"is no clip ({error})") from error


def runs_of(mask: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Return the stretches of a mask that are True, first and the one after the last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return tuple((int(start), int(stop)) for start, stop in edges.reshape(-1, 2))


def read_manifest(path: str | Path) -> Iterator[Clip]:
    """Read a manifest, clip by clip.

    A last line without its end is what an interrupted run was writing, and is left out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is damaged.
    """
    return read_entries(path, Clip.from_json, "prepare")
