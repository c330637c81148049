"""Recordings in which several things sound, one JSON object a line."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path

from data_prep.json_lines import read_file_entries, write_file_entries

MANIFEST = "manifest.jsonl"
FOLDS = ("train", "validation", "test")


@dataclass(frozen=True)
class Source:
    """One of the known sources of a mixture.

    Attributes:
        media: The source as it is in the mixture, at its level there and as long: they sum to the
            mixture. Absolute, or relative to the manifest's folder.
        label: What sounds.
        level_db: Its power in decibels relative to the loudest source, which has 0.
        share: Its part of the sources' power, 0 to 1.
        picture: What it looks like, a file; "" where there is none.
    """

    media: str
    label: str
    level_db: float
    share: float
    picture: str = ""


@dataclass(frozen=True)
class MixedSound:
    """A recording of one thing or several, with what is known of them.

    Attributes:
        id: Unique in its manifest.
        media: The recording, sound or video, absolute or relative to the manifest's folder.
        labels: What sounds, none twice; of known sources the loudest first.
        fold: "train", "validation", "test", or "" where nothing is decided.
        start_s: Where it begins in the recording.
        end_s: Where it ends; None: with the recording.
        picture: A picture of it, a file; "" where there is none.
        picture_s: Without such a file, when to take it from the recording, in seconds of the media
            clock; None where nothing was chosen, or the recording has no pictures.
        sources: Known sources, the loudest first; none of natural mixtures.
    """

    id: str
    media: str
    labels: tuple[str, ...]
    fold: str = ""
    start_s: float = 0.0
    end_s: float | None = None
    picture: str = ""
    picture_s: float | None = None
    sources: tuple[Source, ...] = ()

    def with_paths(self, change: Callable[[str], str]) -> "MixedSound":
        """Return the same with all its paths changed."""

        def change_if_named(name: str) -> str:
            return change(name) if name else ""

        sources = tuple(
            replace(one, media=change(one.media), picture=change_if_named(one.picture))
            for one in self.sources
        )
        picture = change_if_named(self.picture)
        return replace(self, media=change(self.media), picture=picture, sources=sources)

    def to_json(self) -> str:
        """Return one line without its end."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "MixedSound":
        """Read what `to_json` returned.

        Raises:
            ValueError: It is damaged, or of another form.
        """
        data = json.loads(line)
        try:
            sources = tuple(Source(**one) for one in data.get("sources", ()))
            row = cls(**{**data, "labels": tuple(data["labels"]), "sources": sources})
            fault = find_fault(row)
        except (TypeError, AttributeError, KeyError) as error:
            raise ValueError(f"is no mixture of sounds ({error})") from error
        if fault:
            raise ValueError(fault)
        return row


def find_fault(row: MixedSound) -> str:
    """Return what is wrong with a row, as "has no labels"; "" if nothing. Files are not looked for.

    Raises:
        TypeError: A field is of another type than it should be.
    """
    if row.fold not in (*FOLDS, ""):
        return f"has the fold {row.fold!r}, none of {', '.join(FOLDS)}"
    if not row.labels or not all(row.labels):
        return "has no labels, or an empty one"
    if len(set(row.labels)) < len(row.labels):
        return f"has a label twice: {', '.join(row.labels)}"
    end_s = row.end_s if row.end_s is not None else float("inf")
    if not 0 <= row.start_s < end_s:
        return f"begins at {row.start_s} s and ends at {row.end_s} s"
    if any(not 0 <= one.share <= 1 or not isfinite(one.level_db) for one in row.sources):
        return "has a source whose share is not 0 to 1, or whose level is not finite"
    return ""


def read_mixtures(path: str | Path) -> Iterator[MixedSound]:
    """Read a manifest, row by row, with the paths of files made absolute.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is damaged, two have one id, or the manifest is of something else.
    """
    return read_file_entries(path, MixedSound.from_json, "prepare")


def write_mixtures(path: str | Path, rows: Iterable[MixedSound]) -> None:
    """Write a manifest as a whole; paths below its folder become relative, so that it can move.

    Raises:
        OSError: It cannot be written.
        ValueError: A row is such that it could not be read, or two have one id.
    """
    rows = list(rows)
    for row in rows:
        if fault := find_fault(row):
            raise ValueError(f"The row {row.id!r} for {path} {fault}.")
    write_file_entries(path, rows)
