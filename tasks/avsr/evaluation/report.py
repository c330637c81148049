"""The report of an evaluation, as Markdown and as JSON."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tasks.avsr.evaluation.conditions import CLEAN, Cell
from tasks.avsr.evaluation.outcomes import Hearings
from tasks.avsr.evaluation.rows import HEARING, SELECTED, LoudScore, RowErrors, RowScore
from tasks.avsr.evaluation.selector_scores import (
    AgreementScore,
    SelectorScores,
    score_agreement,
    score_selector,
)
from tasks.reports import to_list, to_table, without_nan, write_text
from tasks.scoring import Interval, difference_interval

ROWS_FILE, REPORT, SUMMARY = "rows.json", "report.md", "summary.json"
NOTHING = "-"


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes:
        facts: What was evaluated how, in words.
        cells: Its conditions.
        rows: Word error rates.
        left_out: Rows that could not be shown, with reasons.
        loud: Means over loud noise.
        gains: By condition, how much the selected sets are above the one that hears only.
        selector: How well it knows the noise; None without one.
        agreement: How well lips and sound are told apart.
    """

    facts: dict[str, str]
    cells: tuple[Cell, ...]
    rows: tuple[RowScore, ...]
    left_out: dict[str, str]
    loud: tuple[LoudScore, ...]
    gains: dict[Cell, Interval]
    selector: SelectorScores | None
    agreement: tuple[AgreementScore, ...]


def build_report(hearings: Hearings, facts: dict[str, str], seed: int) -> Report:
    """Score all that was recognised.

    Args:
        hearings: All results.
        facts: What was evaluated how, in words.
        seed: Fixes which clips the bootstrap draws.

    Raises:
        ValueError: No reference has a word under the normaliser.
    """
    errors = RowErrors(hearings)
    gains: dict[Cell, Interval] = {}
    if HEARING in errors.by_row and SELECTED in errors.by_row:
        seeing, hearing = errors.by_row[SELECTED], errors.by_row[HEARING]
        gains = {c: difference_interval(seeing[c], hearing[c], seed) for c in hearings.cells}
    return Report(
        facts,
        hearings.cells,
        tuple(errors.scores(seed)),
        errors.left_out,
        tuple(errors.loud_scores(seed)),
        gains,
        score_selector(hearings),
        tuple(score_agreement(hearings)),
    )


def save_report(report: Report, folder: Path) -> None:
    """Write rows.json, summary.json and report.md.

    Raises:
        OSError: A file cannot be written.
    """
    summary = {
        "facts": report.facts,
        "left_out": report.left_out,
        "loud": [asdict(score) for score in report.loud],
        "gains": [
            {"condition": cell.condition, "snr_db": cell.snr_db, **asdict(gain)}
            for cell, gain in report.gains.items()
        ],
        "selector": asdict(report.selector) if report.selector else None,
        "agreement": [asdict(score) for score in report.agreement],
    }
    write_text(folder / ROWS_FILE, rows_to_json(report.rows))
    write_text(folder / SUMMARY, json.dumps(without_nan(summary), indent=2, ensure_ascii=False))
    write_text(folder / REPORT, to_markdown(report))


def rows_to_json(rows: Iterable[RowScore]) -> str:
    """Return one line: a list of objects, one a row and condition."""
    return json.dumps([asdict(row) for row in rows], ensure_ascii=False)


def to_markdown(report: Report) -> str:
    """Return the report as text with tables."""
    parts = [
        "# Evaluation of audio-visual speech recognition",
        to_list(report.facts),
        "## Word error rate, percent [95 % interval]",
        *_rate_tables(report),
        *_left_out(report),
        *_loud_table(report.loud),
        *_gain_table(report),
        *_selector_tables(report.selector),
        *_agreement_table(report),
    ]
    return "\n\n".join(parts)


def row_table(report: Report, condition: str) -> tuple[list[str], list[list[str]]]:
    """Return one condition's head and lines: rows by level.

    Args:
        report: Scores of an evaluation, from `build_report`.
        condition: Name of the noise, or "clean".
    """
    cells = [cell for cell in report.cells if cell.condition == condition]
    found = {(score.row, score.category, score.snr_db): score for score in report.rows}
    lines = []
    for row in dict.fromkeys(score.row for score in report.rows):
        scores = [found[row, condition, cell.snr_db] for cell in cells]
        lines.append([row, *(f"{s.wer:.1f} [{s.wer_low:.1f}, {s.wer_high:.1f}]" for s in scores)])
    head = "row" if condition == CLEAN else condition  # clean speech has one level, of that name
    return [head, *(cell.level for cell in cells)], lines


def conditions_of(report: Report) -> list[str]:
    """Return the names of the conditions, clean speech first."""
    return list(dict.fromkeys(cell.condition for cell in report.cells))


def _rate_tables(report: Report) -> list[str]:
    return [to_table(*row_table(report, condition)) for condition in conditions_of(report)]


def _left_out(report: Report) -> list[str]:
    lines = [f"- {row}: {reason}" for row, reason in report.left_out.items()]
    return ["Rows that are left out:\n\n" + "\n".join(lines)] if lines else []


def _loud_table(loud: Sequence[LoudScore]) -> list[str]:
    if not loud:
        return []
    lines = [[s.row, _show(s.mean), _show(s.ratio, ".2f") if s.ratio else NOTHING] for s in loud]
    title = "## Mean over noise at -10 and -5 dB"
    return [title, to_table(["row", "word error rate, %", f"ratio to {HEARING}"], lines)]


def _gain_table(report: Report) -> list[str]:
    if not report.gains:
        return []
    title = f"## {SELECTED}, minus {HEARING}"
    note = "Percentage points of word error rate; below zero, video helps. Clips are paired."
    return [title, note, *_by_level(report, lambda cell: _show(report.gains[cell], "+.1f"))]


def _selector_tables(scores: SelectorScores | None) -> list[str]:
    if scores is None:
        return []
    confusion = [[true, *map(str, counts)] for true, counts in scores.confusion.items()]
    groups = scores.by_level[0].abstained
    head = ["level", "clips", "category right, %", "high-noise set chosen, %", "level right, %"]
    lines = [
        [
            Cell("", None, line.snr_db).level,
            str(line.clips),
            *map(_percent, (line.category_right, line.high_noise, line.level_right)),
            *(_percent(line.abstained[group]) for group in groups),
        ]
        for line in scores.by_level
    ]
    return [
        "## Selector",
        f"Category right in noise: {_percent(scores.category_right)} %. High or low noise right: "
        f"{_percent(scores.level_right)} % of the clips that it did not abstain on; the border is "
        "0 dB, and clips at 0 dB do not count.",
        "Clips by true category (lines) and category heard (columns):",
        to_table(["", *scores.said], confusion),
        to_table([*head, *(f"abstains ({group}), %" for group in groups)], lines),
        *_recording_table(scores),
    ]


def _recording_table(scores: SelectorScores) -> list[str]:
    if not scores.by_recording:
        return []
    lines = [
        [
            line.condition,
            line.recording,
            str(line.clips),
            *map(_percent, (line.category_right, line.loud_right)),
            line.heard,
        ]
        for line in scores.by_recording
    ]
    head = ["noise", "recording", "clips", "category right, %", "at 0 dB and below, %"]
    return [to_table([*head, "heard most often as"], lines)]


def _agreement_table(report: Report) -> list[str]:
    found = {(score.condition, score.snr_db): score for score in report.agreement}
    if all(score.area is None for score in report.agreement):
        return []

    def show(cell: Cell) -> str:
        score = found[cell.condition, cell.snr_db]
        return NOTHING if score.area is None else f"{score.area:.3f} ({score.clips})"

    note = (
        "Area under the ROC curve of the agreement of lips and sound, the clip's own video against "
        "another clip's (clips)."
    )
    return ["## Right or wrong video", note, *_by_level(report, show)]


def _by_level(report: Report, show: Callable[[Cell], str]) -> list[str]:
    """Return a table with a line for each condition and a column for each level."""
    levels = dict.fromkeys(cell.level for cell in report.cells)
    lines = []
    for condition in conditions_of(report):
        shown = {cell.level: show(cell) for cell in report.cells if cell.condition == condition}
        lines.append([condition, *(shown.get(level, NOTHING) for level in levels)])
    return [to_table(["condition", *levels], lines)]


def _show(found: Interval, form: str = ".1f") -> str:
    if math.isnan(found.value):
        return NOTHING
    return f"{found.value:{form}} [{found.low:{form}}, {found.high:{form}}]"


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{share:.1f}"
