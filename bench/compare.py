"""Time two things in turn, so that a machine whose speed drifts does not favour either."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: What was measured.
        peer: Against what.
        ours: Our figure.
        theirs: The peer's figure.
        unit: What both figures are in, as s or frames/s.
        ratio: Ours by theirs, the median over pairs.
        target: What the ratio has to be, as text.
    """

    what: str
    peer: str
    ours: float
    theirs: float
    unit: str
    ratio: float
    target: str


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(
    what: str,
    peer: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    target: str,
    runs: int = 7,
) -> Row:
    """Run both in turn after a warm-up, and return medians and the median ratio of the pairs."""
    ours()
    theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
    return paired(what, peer, pairs, "s", target)


def paired(
    what: str, peer: str, pairs: Sequence[tuple[float, float]], unit: str, target: str
) -> Row:
    """Return the row of figures that were taken in turn, ours and theirs of each round."""
    ours, theirs = (median(column) for column in zip(*pairs, strict=True))
    return Row(what, peer, ours, theirs, unit, median(a / b for a, b in pairs), target)


def to_markdown(rows: list[Row]) -> str:
    """Render the table of docs/speed.md."""
    lines = [
        "| what | against | ours | theirs | ratio | target |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        ours, theirs = (_figure(value, row.unit) for value in (row.ours, row.theirs))
        lines.append(
            f"| {row.what} | {row.peer} | {ours} | {theirs} | {_ratio(row.ratio)} | {row.target} |"
        )
    return "\n".join(lines)


def _figure(value: float, unit: str) -> str:
    if unit == "s" and value < 0.1:
        value, unit = 1000 * value, "ms"
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.2g}"
