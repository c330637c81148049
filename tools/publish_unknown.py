"""Write into docs/avsr.md what becomes of talkers and of speech that no set was trained on.

python -m tools.measure_unknown build/avsr/unknown.jsonl --seed 0      (and 1, 2)
python -m tools.publish_unknown
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.scoring import find_normaliser
from tasks.scoring.intervals import Interval, difference_interval
from tasks.scoring.word_errors import WordErrors, count_errors
from tools.conditions_training import missed
from tools.marks import rewrite
from tools.unknown_speech import GRID, KINDS, OTHER

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "build/avsr/unknown.jsonl"
PAGE = ROOT / "docs/avsr.md"
LEVELS = ("clean", "5 dB", "0 dB", "-5 dB", "-10 dB")
NONE = "-"
MOST_LOST, MOST_REPLACED, LOUDEST_DB = 2.0, 2.0, -5.0  # points, percent of pieces

Row = dict[str, Any]


def main() -> None:
    """Write the tables."""
    lines = ROWS.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    rewrite(PAGE, "unknown", lambda _: write_page(rows))


def write_page(rows: Sequence[Row]) -> str:
    """Return both tables and what was measured.

    Args:
        rows: From `tools.measure_unknown`.
    """
    talkers = [row for row in rows if row["side"] == GRID]
    others = [row for row in rows if row["side"] == OTHER]
    seeds = len({row["seed"] for row in rows})
    heads = "| " + " | ".join(("", *LEVELS)) + " |\n| --- |" + " ---: |" * len(LEVELS)
    told = (
        f"Word error rate, %, of {_count(talkers)} clips of talkers that no training saw: the set "
        "that hears only / before / now [now minus the set that hears only, 95 %]:"
    )
    replaced = (
        f"Pieces of other speech ({_count(others)} of up to 3.2 s) that are given a sentence of "
        "the sets, %, before / now (pieces):"
    )
    noise = f"{seeds} draws of noise; recordings of noise that no training heard."
    parts = [told, _table(heads, talkers, _errors), replaced, _table(heads, others, _share), noise]
    return "\n\n".join([*parts, "\n".join(tell_aims(talkers, others))])


def tell_aims(talkers: Sequence[Row], others: Sequence[Row]) -> list[str]:
    """Say what was aimed at, and whether it was reached.

    Args:
        talkers: Rows of other talkers of GRID.
        others: Rows of other speech.
    """
    cells = [("clean", "clean"), *((k, level) for k in KINDS for level in LEVELS[1:])]
    lost = []
    for kind, level in cells:
        some = [r for r in talkers if r["kind"] == kind and level_of(r) == level]
        if some:
            audio, _, now = compare(some)
            lost.append(now.rate - audio.rate)
    near = sum(one <= MOST_LOST for one in lost)
    lines = [
        f"* Other talkers at most {MOST_LOST:g} points above the set that hears only: in {near} of "
        f"{len(lost)} cells{missed(near == len(lost))}."
    ]
    clean = [row for row in others if row["kind"] == "clean"]
    babble = [r for r in others if "babble" in r["kind"] and r["snr_db"] >= LOUDEST_DB]
    for told, rows, most in (("on clean sound", clean, 0.0), ("in babble", babble, MOST_REPLACED)):
        if rows:
            share = 100 * sum(row["now"] for row in rows) / len(rows)
            down = f" down to {LOUDEST_DB:g} dB" if rows is babble else ""
            lines.append(
                f"* Other speech {told}{down} is given a sentence in {share:.1f} % of {len(rows)} "
                f"pieces (aim: {most:g}){missed(share <= most)}."
            )
    return lines


def _table(heads: str, rows: Sequence[Row], tell: Any) -> str:
    lines = [heads]
    for kind in KINDS:
        cells = []
        for level in LEVELS:
            some = [row for row in rows if level_of(row) == level]
            some = [row for row in some if row["kind"] in (kind, "clean")]
            cells.append(tell(some) if some else NONE)
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines)


def level_of(row: Row) -> str:
    """Return the level of a row as the tables head it."""
    return "clean" if row["snr_db"] is None else f"{row['snr_db']:g} dB"


def text_of(row: Row, kept: str) -> str:
    """Return what the user gets: the set's text where it is kept, else the frozen Whisper's."""
    return row["heard"] if row[kept] else row["plain"]


def compare(rows: Sequence[Row]) -> tuple[WordErrors, WordErrors, WordErrors]:
    """Count word errors of the set that hears only, of what users got before, and get now."""
    said, normalise = [row["said"] for row in rows], find_normaliser("grid")
    texts = [[row["heard"] for row in rows]]
    texts += [[text_of(row, kept) for row in rows] for kept in ("before", "now")]
    audio, before, now = (count_errors(said, some, normalise) for some in texts)
    return audio, before, now


def _errors(rows: Sequence[Row]) -> str:
    audio, before, now = compare(rows)
    rates = " / ".join(f"{errors.rate:.1f}" for errors in (audio, before, now))
    return f"{rates} {_tell(difference_interval(now, audio))}"


def _tell(interval: Interval) -> str:
    return f"[{interval.value:+.1f}: {interval.low:+.1f}, {interval.high:+.1f}]"


def _share(rows: Sequence[Row]) -> str:
    shares = [100 * sum(row[kept] for row in rows) / len(rows) for kept in ("before", "now")]
    return f"{shares[0]:.0f} / {shares[1]:.0f} ({len(rows)})"


def _count(rows: Sequence[Row]) -> int:
    return len({row["name"] for row in rows})


if __name__ == "__main__":
    main()
