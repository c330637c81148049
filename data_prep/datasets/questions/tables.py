"""Tables of questions: found by their names, and read entry by entry with plain messages."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_prep.media.files import find_files
from modalities.text_file import read_text

FOLDS = {
    "train": "train",
    "training": "train",
    "nominival": "train",  # LXMERT trains on what it leaves of validation
    "restval": "train",  # Karpathy's, by all who use his splits
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "minival": "validation",
    "test": "test",
    "testdev": "test",
}


@dataclass(frozen=True)
class Entry:
    """One entry of a table.

    Attributes:
        table: The file, for messages.
        number: Which entry, from 1.
        data: What it holds.
    """

    table: Path
    number: int
    data: dict[str, Any]

    def text(self, *keys: str) -> str:
        """Return the words or the number under the first key that is there, without space around.

        Raises:
            ValueError: No key is there, or there is no text under it.
        """
        value = next((self.data[key] for key in keys if key in self.data), None)
        said = isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip()
        if not said:
            raise self.fault(f"has no {keys[0]}", f"text or a number for {' or '.join(keys)}")
        return said

    def items(self, key: str) -> list[dict[str, Any]]:
        """Return the list of objects under a key.

        Raises:
            ValueError: There is none.
        """
        value = self.data.get(key)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.fault(f"has no list {key}", f"{key} with objects in it")
        return value

    def label(self) -> dict[str, float]:
        """Return the scores by answer that LXMERT and its heirs write; {} where there are none.

        Raises:
            ValueError: There is something else.
        """
        value = self.data.get("label") or {}
        if not isinstance(value, dict):
            raise self.fault(f"has the label {value!r}", "scores by answer, as {'net': 1.0}")
        return {str(answer): score for answer, score in value.items()}

    def fault(self, problem: str, expected: str) -> ValueError:
        """Return an error that says where something is wrong, and what."""
        return ValueError(
            f"{self.table}, entry {self.number} {problem}; expected {expected}. Get the file anew, "
            "or take the entry out."
        )


def find_tables(folder: Path, pattern: str) -> list[Path]:
    """Find tables at any depth whose names, in small letters and whole, fit a pattern."""
    found = find_files(folder, {".json", ".jsonl"})
    return [path for path in found if re.fullmatch(pattern, path.name.lower())]


def require_tables(folder: Path, pattern: str, expected: str) -> list[Path]:
    """Find tables, at least one, see `find_tables`.

    Raises:
        ValueError: There is none.
    """
    found = find_tables(folder, pattern)
    if not found:
        raise no_tables(folder, expected)
    return found


def no_tables(folder: Path, expected: str) -> ValueError:
    """Return an error that says which tables a folder should have."""
    return ValueError(f"{folder} has no {expected}. Is it the right folder?")


def fold_of(name: str) -> str:
    """Return the fold that a name says in words, as "karpathy_val" or "train2014"; "" if none."""
    words = re.findall("[a-z]+", name.lower())
    return next((FOLDS[word] for word in words if word in FOLDS), "")


def read_json(table: Path) -> Any:
    """Read a file of JSON.

    Raises:
        ValueError: It is none.
    """
    try:
        return json.loads(read_text(table))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(
            f"{table} cannot be read ({error}); expected JSON. It may be cut: get it anew."
        ) from error


def as_entries(table: Path, values: Any) -> list[Entry]:
    """Return the entries of a list.

    Raises:
        ValueError: It is no list, or not of objects.
    """
    if not isinstance(values, list):
        raise ValueError(f"{table} is no list of entries; expected one. Is it the right file?")
    entries = []
    for number, data in enumerate(values, 1):
        if not isinstance(data, dict):
            raise Entry(table, number, {}).fault("is no object", "names and values in braces")
        entries.append(Entry(table, number, data))
    return entries


def read_lines(table: Path) -> Iterator[Entry]:
    """Read a table with an object a line, or a list of them in JSON.

    Raises:
        ValueError: A line is none.
    """
    text = read_text(table)
    if text.lstrip().startswith("["):
        yield from as_entries(table, read_json(table))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
        except json.JSONDecodeError as error:
            fault = f"cannot be read ({error})"
            raise Entry(table, number, {}).fault(fault, "JSON in one line") from error
        if not isinstance(data, dict):
            raise Entry(table, number, {}).fault("is no object", "names and values in braces")
        yield Entry(table, number, data)
