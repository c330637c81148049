"""What an evaluation of any task came to, and the parts that reports of tasks share."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modalities.whole_file import replace_when_whole

# Opens a bar on stderr for a label and a way to write what is done; yields what to call with what
# is done and with all of it.
OpenBar = Callable[
    [str, Callable[[float], str]], AbstractContextManager[Callable[[float, float | None], None]]
]
Grid = tuple[Sequence[str], Sequence[Sequence[str]]]  # head, and lines of as many cells


@dataclass(frozen=True)
class Evaluated:
    """What is printed of an evaluation.

    Attributes:
        facts: What was evaluated how, in words.
        title: What the tables show.
        tables: Heads and lines.
        report: The file that holds more of it.
        data: What --json prints, as JSON has it.
        notes: Sentences below the tables.
    """

    facts: dict[str, str]
    title: str
    tables: Sequence[Grid]
    report: Path
    data: Any
    notes: Sequence[str] = field(default=())


def no_bar(
    label: str, tell: Callable[[float], str]
) -> AbstractContextManager[Callable[[float, float | None], None]]:
    """Open nothing, where nobody looks; see `OpenBar`."""
    return nullcontext(lambda done, whole: None)


def to_table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Write a table of Markdown, whose columns but the first hold numbers."""
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))


def to_list(facts: dict[str, str]) -> str:
    """Write facts as a list of Markdown."""
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def without_nan(value: Any) -> Any:
    """Return a copy with None for numbers that are not finite, which JSON does not have."""
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_text(path: Path, text: str) -> None:
    """Write a text and the end of its last line; the file appears whole.

    Raises:
        OSError: It cannot be written.
    """
    with replace_when_whole(path) as partial:
        partial.write_text(f"{text}\n", "utf-8")
