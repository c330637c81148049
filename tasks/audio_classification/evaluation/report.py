"""The report on a classifier of sounds, as Markdown and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from tasks.reports import Evaluated, Grid, to_list, to_table, without_nan, write_text
from tasks.scoring.classification import average_precision, confusion, score

SCORES, REPORT = "scores.json", "report.md"
SHOWN = 40  # classes; of more a table of confusions is too wide to read
TITLE = "Scores, percent:"
NAMES = {
    "accuracy": "accuracy",
    "class_accuracy": "mean accuracy of the classes",
    "mean_average_precision": "mean average precision",
    "calibration_error": "calibration error",
    "calibration_error_raw": "calibration error before its temperature",
}


@dataclass(frozen=True)
class ClassScore:
    """How well one class is told.

    Attributes:
        sounds: How many are of it.
        accuracy: Share of them that is taken for it, percent.
        average_precision: Mean precision at the places of its sounds, with all sounds in the order
            of their probability of it, percent.
    """

    sounds: int
    accuracy: float
    average_precision: float


@dataclass(frozen=True)
class SoundReport:
    """What an evaluation found.

    Attributes:
        facts: What was evaluated how, in words.
        scores: Percent, by the names of `NAMES`.
        by_class: Scores of the classes that there are sounds of.
        confusion: By the right class, how many sounds were taken for which; zeros are left out.
        left_out: Sounds that could not be used.
    """

    facts: dict[str, str]
    scores: dict[str, float]
    by_class: dict[str, ClassScore]
    confusion: dict[str, dict[str, int]]
    left_out: tuple[str, ...] = ()


def build_report(
    logits: Tensor,
    labels: Tensor,
    classes: Sequence[str],
    temperature: float,
    facts: dict[str, str],
    left_out: Sequence[str] = (),
) -> SoundReport:
    """Score what a classifier told.

    Args:
        logits: [sounds, classes], not yet divided by the temperature.
        labels: The right classes, [sounds].
        classes: Names.
        temperature: What the classifier divides its logits by, above 0.
        facts: What was evaluated how, in words.
        left_out: Sounds that could not be used.
    """
    probabilities = (logits / temperature).softmax(1)
    counts = confusion(logits, labels, len(classes)).tolist()
    by_class = {
        name: ClassScore(
            sum(counts[n]),
            100 * counts[n][n] / sum(counts[n]),
            average_precision(probabilities[:, n], labels == n),
        )
        for n, name in enumerate(classes)
        if sum(counts[n])
    }
    precisions = [of.average_precision for of in by_class.values()]
    scores = score(logits, labels, classes, temperature)
    scores["mean_average_precision"] = sum(precisions) / len(precisions)
    taken = {
        name: {classes[m]: count for m, count in enumerate(counts[n]) if count}
        for n, name in enumerate(classes)
        if name in by_class
    }
    return SoundReport(facts, {name: scores[name] for name in NAMES}, by_class, taken, (*left_out,))


def save_report(report: SoundReport, folder: Path) -> Evaluated:
    """Write scores.json and report.md, and return what is printed.

    Raises:
        OSError: A file cannot be written.
    """
    data = without_nan(asdict(report))
    write_text(folder / SCORES, json.dumps(data, indent=2, ensure_ascii=False))
    write_text(folder / REPORT, to_markdown(report))
    notes = [f"Left out: {reason}" for reason in report.left_out]
    tables = [_score_table(report), _class_table(report)]
    return Evaluated(report.facts, TITLE, tables, folder / REPORT, data, notes)


def to_markdown(report: SoundReport) -> str:
    """Return the report as text with tables."""
    parts = [
        "# Evaluation of a classifier of sounds",
        to_list(report.facts),
        "## Scores, percent",
        to_table(*_score_table(report)),
        "## Classes",
        to_table(*_class_table(report)),
        *_confusion_table(report),
    ]
    if report.left_out:
        parts += ["## Left out", "\n".join(f"- {reason}" for reason in report.left_out)]
    return "\n\n".join(parts)


def _score_table(report: SoundReport) -> Grid:
    lines = [[NAMES[name], f"{value:.1f}"] for name, value in report.scores.items()]
    return ["score", "%"], lines


def _class_table(report: SoundReport) -> Grid:
    lines = [
        [name, str(of.sounds), f"{of.accuracy:.1f}", f"{of.average_precision:.1f}"]
        for name, of in report.by_class.items()
    ]
    return ["class", "sounds", "accuracy, %", "average precision, %"], lines


def _confusion_table(report: SoundReport) -> list[str]:
    taken = {name for row in report.confusion.values() for name in row}
    columns = [*report.confusion, *sorted(taken - set(report.confusion))]
    note = "Sounds by their class (lines) and the one that they were taken for (columns):"
    if len(columns) > SHOWN:
        return ["## Confusions", f"{len(columns)} classes are too many to show; see {SCORES}."]
    lines = [
        [name, *(str(row.get(column, 0)) for column in columns)]
        for name, row in report.confusion.items()
    ]
    return ["## Confusions", note, to_table(["", *columns], lines)]
