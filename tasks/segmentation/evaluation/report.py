"""The report on a segmenter: Markdown and JSON, and a line of CSV for each mask."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

from tasks.reports import Evaluated, Grid, to_list, to_table, without_nan, write_text
from tasks.scoring.masks import (
    BOTH,
    EMPTY_RULE,
    TRUTH,
    MaskSummary,
    summarise_masks,
)
from tasks.segmentation.evaluation.outcomes import MaskOutcome, Measured

SCORES, REPORT, MASKS = "scores.json", "report.md", "masks.csv"
TITLE = "Scores, means over masks:"
NOT_EMPTY = "with something to find"
SHOWN = 10  # ids in a note, and notes on images
COLUMNS = ("id", "class", "prompt", "dice", "iou", "hd95", "unit", "empty", "seconds")
OF_UNRELATED = ("dice_unrelated", "iou_unrelated")


@dataclass(frozen=True)
class PromptGain:
    """What the right prompt is worth, by the Dice of the same masks.

    Attributes:
        masks: How many.
        dice: Mean with the right prompt, 0 to 1.
        dice_unrelated: Mean with the unrelated prompts, each weighing the same, 0 to 1.
    """

    masks: int
    dice: float
    dice_unrelated: float


@dataclass(frozen=True)
class SegmentationReport:
    """What an evaluation found.

    Attributes:
        facts: What was evaluated how, in words.
        empty_rule: How empty masks are scored.
        overall: Means over all masks.
        not_empty: Means over those whose truth is not empty; None where there are none.
        by_class: Means over the masks of each class, by its name.
        class_mean: Means over the classes of "dice" and "iou", each class weighing the same.
        by_unrelated: The right prompt beside the unrelated ones, for "all", for `NOT_EMPTY` and by
            class; empty where none was asked.
        unlabelled: Ids of rows without a mask, which are in no score.
        left_out: What is wrong with those that could not be used, by their id.
        notes: What reading an image had to decide, by the id of its first mask.
    """

    facts: dict[str, str]
    empty_rule: str
    overall: MaskSummary
    not_empty: MaskSummary | None
    by_class: dict[str, MaskSummary]
    class_mean: dict[str, float]
    by_unrelated: dict[str, PromptGain]
    unlabelled: tuple[str, ...]
    left_out: dict[str, str]
    notes: dict[str, str]


def build_report(found: Measured, facts: dict[str, str]) -> SegmentationReport:
    """Average what was measured.

    Args:
        found: One outcome or more.
        facts: What was evaluated how, in words.
    """
    outcomes = found.outcomes
    labels = sorted({outcome.label for outcome in outcomes})
    by_class = {label: [o for o in outcomes if o.label == label] for label in labels}
    full = [o for o in outcomes if o.score.empty not in (BOTH, TRUTH)]
    classes = {label: _summarise(some) for label, some in by_class.items()}
    compared = {"all": outcomes, NOT_EMPTY: full, **(by_class if len(labels) > 1 else {})}
    return SegmentationReport(
        facts,
        EMPTY_RULE,
        _summarise(outcomes),
        _summarise(full) if full else None,
        classes,
        {name: mean(getattr(c, name) for c in classes.values()) for name in ("dice", "iou")},
        {name: _gain(some) for name, some in compared.items() if some and some[0].unrelated},
        tuple(found.unlabelled),
        found.left_out,
        found.notes,
    )


def _summarise(outcomes: Sequence[MaskOutcome]) -> MaskSummary:
    return summarise_masks([o.score for o in outcomes], [o.unit for o in outcomes])


def _gain(outcomes: Sequence[MaskOutcome]) -> PromptGain:
    others = [mean(score.dice for score in o.unrelated) for o in outcomes]
    return PromptGain(len(outcomes), mean(o.score.dice for o in outcomes), mean(others))


def save_report(
    report: SegmentationReport, outcomes: Sequence[MaskOutcome], folder: Path
) -> Evaluated:
    """Write scores.json, masks.csv and report.md, and return what is printed.

    Dice and IoU are 0 to 1 in the files that programs read, percent in the tables.

    Raises:
        OSError: A file cannot be written.
    """
    data = without_nan(asdict(report))
    write_text(folder / SCORES, json.dumps(data, indent=2, ensure_ascii=False))
    write_text(folder / MASKS, to_csv(outcomes))
    write_text(folder / REPORT, to_markdown(report))
    tables = [_score_table(report), *_unrelated_table(report)]
    notes = [*_notes(report), f"{folder / MASKS} has the scores of each mask."]
    return Evaluated(report.facts, TITLE, tables, folder / REPORT, data, notes)


def to_csv(outcomes: Sequence[MaskOutcome]) -> str:
    """Return a line for each mask below a line of heads, without the end of the last.

    With several unrelated prompts, their scores are averaged.
    """
    compared = any(outcome.unrelated for outcome in outcomes)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *(OF_UNRELATED if compared else ())])
    for o in outcomes:
        others = (
            [mean(getattr(s, name) for s in o.unrelated) for name in ("dice", "iou")]
            if (compared)
            else []
        )
        numbers = [o.score.dice, o.score.iou, o.score.hd95]
        writer.writerow(
            [
                *(o.id, o.label, o.prompt, *map(_number, numbers), o.unit, o.score.empty),
                *(_number(o.seconds), *map(_number, others)),
            ]
        )
    return text.getvalue().rstrip("\n")


def _number(value: float) -> str:
    return f"{value:.6g}"


def to_markdown(report: SegmentationReport) -> str:
    """Return the report as text with tables."""
    parts = [
        "# Evaluation of a segmenter",
        to_list(report.facts),
        "## Scores, means over masks",
        to_table(*_score_table(report)),
        *_rules(report),
    ]
    for table in _unrelated_table(report):
        parts += ["## The right prompt beside unrelated ones", to_table(*table)]
    if report.unlabelled:
        parts += ["## Without a mask, in no score", _to_lines(report.unlabelled)]
    if report.left_out:
        reasons = [f"{name}: {reason}" for name, reason in report.left_out.items()]
        parts += ["## Left out", _to_lines(reasons)]
    if report.notes:
        parts += ["## Notes on images", _to_lines(list(report.notes.values()))]
    return "\n\n".join(parts)


def _to_lines(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _rules(report: SegmentationReport) -> list[str]:
    """Return how the scores are to be read."""
    masks, in_mm = report.overall.masks, report.overall.in_mm
    if not 0 < in_mm < masks:
        return [report.empty_rule]
    units = (
        f"HD95 is in millimetres for {in_mm} of {masks} masks, where the spacing of pixels is "
        "known, and in pixels for the others: two means, of different masks."
    )
    return [report.empty_rule, units]


def _score_table(report: SegmentationReport) -> Grid:
    rows = {"all": report.overall}
    if report.not_empty and report.not_empty.masks < report.overall.masks:
        rows[NOT_EMPTY] = report.not_empty
    rows |= report.by_class if len(report.by_class) > 1 else {}
    units = [unit for unit in ("px", "mm") if getattr(report.overall, f"hd95_{unit}") is not None]
    counts = ("both_empty", "truth_empty", "predicted_empty")
    heads = ("both empty", "only truth empty", "only prediction empty")
    lines = [
        [
            *(name, str(of.masks), _percent(of.dice), _percent(of.iou)),
            *(_length(getattr(of, f"hd95_{unit}")) for unit in units),
            *(str(getattr(of, count)) for count in counts),
        ]
        for name, of in rows.items()
    ]
    if len(report.by_class) > 1:
        means = [_percent(report.class_mean[name]) for name in ("dice", "iou")]
        blank = [""] * (len(units) + len(counts))
        lines.append(["mean of the classes", str(report.overall.masks), *means, *blank])
    return ["", "masks", "Dice, %", "IoU, %", *(f"HD95, {unit}" for unit in units), *heads], lines


def _unrelated_table(report: SegmentationReport) -> list[Grid]:
    if not report.by_unrelated:
        return []
    lines = [
        [
            *(name, str(of.masks), _percent(of.dice), _percent(of.dice_unrelated)),
            f"{100 * (of.dice - of.dice_unrelated):+.1f}",
        ]
        for name, of in report.by_unrelated.items()
    ]
    heads = ["", "masks", "Dice, %", "Dice with unrelated prompts, %", "difference, points"]
    return [(heads, lines)]


def _notes(report: SegmentationReport) -> list[str]:
    notes = _rules(report)
    if report.unlabelled:
        notes.append(f"Without a mask, in no score: {_tell_some(report.unlabelled)}.")
    notes += [f"Left out: {name}: {reason}" for name, reason in report.left_out.items()]
    notes += list(report.notes.values())[:SHOWN]
    if len(report.notes) > SHOWN:
        notes.append(f"Of {len(report.notes) - SHOWN} more images the report has notes.")
    return notes


def _tell_some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} ({', '.join(names[:SHOWN])}{more})"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _length(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
