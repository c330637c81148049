"""The table of methods and that of published counts, read from a file and so without torch.

`fusion.papers.rows` computes what the file holds.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modalities.spelling import did_you_mean

STORED = Path(__file__).with_name("methods.json")
MODEL = "whisper-small"
COLUMNS: tuple[str, ...] = (
    "method",
    "paper",
    "formula",
    "sites",
    f"trained parameters on {MODEL}",
    "mergeable",
    "per sample",
    "source",
)


@dataclass(frozen=True)
class MethodRow:
    """One method.

    Attributes:
        method: Its name.
        paper: Titles, years, arXiv numbers.
        formula: In one line.
        sites: The roles that it is put at by default.
        parameters: Trained on whisper-small with the default options.
        merges: Whether it can be added to the weights.
        per_row: Whether the rows of a batch can differ.
        code: "PEFT" or "ours".
        options: Names of its options.
    """

    method: str
    paper: str
    formula: str
    sites: str
    parameters: int
    merges: bool
    per_row: bool
    code: str
    options: tuple[str, ...] = ()

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table, as text."""
        marks = ("yes" if mark else "no" for mark in (self.merges, self.per_row))
        count = f"{self.parameters:,}"
        return (self.method, self.paper, self.formula, self.sites, count, *marks, self.code)


@dataclass(frozen=True)
class CountRow:
    """One published count.

    Attributes:
        model: Name of the model in the paper's row.
        row: What the row is called in the paper.
        methods: Names of the methods that it puts on, each once.
        parameters: Trained, as counted here.
        printed: The figure that the paper or its code prints; "" where it gives a formula alone.
    """

    model: str
    row: str
    methods: tuple[str, ...]
    parameters: int
    printed: str

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table, as text."""
        methods = " + ".join(f"`{method}`" for method in self.methods)
        return (
            self.model,
            self.row,
            methods,
            f"{self.parameters:,}",
            self.printed or "its formula",
        )


def read_methods() -> list[MethodRow]:
    """Return the stored table of methods, in the order of `METHODS`."""
    return [MethodRow(**{**row, "options": tuple(row["options"])}) for row in _read()["methods"]]


def check_method(name: str, options: Iterable[str] = ()) -> None:
    """Check names of a method and its options by the stored table: mistakes are told without torch.

    Raises:
        ValueError: No such method or option; the message lists those there are.
    """
    known = {row.method: row.options for row in read_methods()}
    if name not in known:
        guess = did_you_mean(name, known)
        raise ValueError(f"No adapter method {name!r}; known: {', '.join(sorted(known))}.{guess}")
    for option in options:
        if option not in known[name]:
            guess = did_you_mean(option, known[name])
            raise ValueError(
                f"Method {name!r} has no option {option!r}; known: "
                f"{', '.join(known[name]) or 'none'}.{guess}"
            )


def read_counts() -> list[CountRow]:
    """Return the stored published counts."""
    return [CountRow(**{**row, "methods": tuple(row["methods"])}) for row in _read()["counts"]]


def _read() -> dict[str, list[dict[str, Any]]]:
    return json.loads(STORED.read_text(encoding="utf-8"))


def to_json(methods: Sequence[MethodRow], counts: Sequence[CountRow]) -> str:
    """Write both tables as they are stored."""
    stored = {
        "methods": [asdict(row) for row in methods],
        "counts": [asdict(row) for row in counts],
    }
    return json.dumps(stored, indent=1, ensure_ascii=False) + "\n"


def to_markdown(rows: Sequence[MethodRow]) -> str:
    """Write the rows as a table of Markdown."""
    lines = [COLUMNS]
    for row in rows:
        name, paper, formula, *rest = row.cells()
        lines.append((f"`{name}`", paper, f"`{formula}`", *rest))
    return _markdown(lines)


def counts_to_markdown(rows: Sequence[CountRow]) -> str:
    """Write published counts as a table of Markdown."""
    head = ("model", "row of the paper", "methods", "trained parameters", "printed there")
    return _markdown([head, *(row.cells() for row in rows)])


def _markdown(lines: Sequence[tuple[str, ...]]) -> str:
    head, *rest = lines
    safe = [tuple(cell.replace("|", "\\|") for cell in line) for line in rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ("---",) * len(head), *safe])
