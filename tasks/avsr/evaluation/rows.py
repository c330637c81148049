"""The rows of a report: what they show, put together from what was recognised once."""

from collections.abc import Callable
from dataclasses import dataclass

from tasks.avsr.evaluation.conditions import Cell
from tasks.avsr.evaluation.outcomes import Hearings
from tasks.avsr.evaluation.results import NO_VIDEO, RIGHT, WRONG, Result
from tasks.avsr.sets.collection import ALL, AUDIO, BOTH, CATEGORY, LEVEL
from tasks.scoring import Interval, WordErrors, mean_interval, rate_interval, ratio_interval

Take = Callable[[Hearings, Cell], list[Result]]
LOUD_NOISE_DB = (-10.0, -5.0)  # where video helps most


@dataclass(frozen=True)
class Row:
    """A way to recognise that a report shows.

    Attributes:
        take: Returns its results in one condition, [clips].
        group: Group of sets that it needs, one of `GROUPS`; None where it needs none.
        needs_faces: Whether it needs clips with video.
        always: Whether a report says so where it cannot be shown.
    """

    take: Take
    group: str | None = None
    needs_faces: bool = False
    always: bool = True


@dataclass(frozen=True)
class RowScore:
    """The word error rate of a row in a condition, as rows.json has it.

    Attributes:
        row: Its name.
        category: Name of the condition: the category, unless it has a name of its own; "clean".
        snr_db: Signal-to-noise ratio; None for clean speech.
        wer: Word error rate, percent.
        wer_low: Lower end of its 95 % interval.
        wer_high: Upper end.
        clips: How many were recognised.
    """

    row: str
    category: str
    snr_db: float | None
    wer: float
    wer_low: float
    wer_high: float
    clips: int


@dataclass(frozen=True)
class LoudScore:
    """The mean of a row over loud noise.

    Attributes:
        row: Its name.
        mean: Mean word error rate over loud noise, percent.
        ratio: That mean by the mean of the row that hears only; None without that row.
    """

    row: str
    mean: Interval
    ratio: Interval | None


def _take_first(group: str) -> Take:
    return lambda hearings, cell: hearings.all_with(cell, hearings.names.groups[group][0])


def _take_selected(group: str, video: str = RIGHT) -> Take:
    return lambda hearings, cell: hearings.selected(cell, group, video)


def _take_oracle(hearings: Hearings, cell: Cell) -> list[Result]:
    """Take the set made for the noise; the best one where there is none, as on clean speech."""
    made_for = hearings.names.of_category.get(cell.category or "")
    return hearings.all_with(cell, made_for) if made_for else _rank_sets(hearings, cell)[0]


def _take_worst(hearings: Hearings, cell: Cell) -> list[Result]:
    return _rank_sets(hearings, cell)[-1]


def _rank_sets(hearings: Hearings, cell: Cell) -> list[list[Result]]:
    """Return the results of every category set, the best first."""
    found = [hearings.all_with(cell, name) for name in hearings.names.groups[CATEGORY]]
    return sorted(found, key=lambda results: hearings.errors(results).rate)


PLAIN, HEARING, ONE_SET = "plain Whisper", "audio-only adapted", "one AV set"
SELECTED = "AV category sets + selector"
ROWS: dict[str, Row] = {
    PLAIN: Row(lambda hearings, cell: hearings.all_with(cell, None)),
    HEARING: Row(_take_first(AUDIO), AUDIO),
    ONE_SET: Row(_take_first(ALL), ALL),
    SELECTED: Row(_take_selected(CATEGORY), CATEGORY),
    "AV level sets + selector": Row(_take_selected(LEVEL), LEVEL),
    "AV category and level sets + selector": Row(_take_selected(BOTH), BOTH, always=False),
    "oracle set": Row(_take_oracle, CATEGORY),
    "worst set": Row(_take_worst, CATEGORY),
    "wrong video": Row(_take_selected(CATEGORY, WRONG), CATEGORY, needs_faces=True),
    "no video": Row(_take_selected(CATEGORY, NO_VIDEO), CATEGORY, needs_faces=True),
}


class RowErrors:
    """The word errors of every row that can be shown, and why others cannot.

    Args:
        hearings: All results.

    Attributes:
        by_row: Errors by row and condition.
        left_out: Reasons by row.
    """

    def __init__(self, hearings: Hearings):
        self.cells = hearings.cells
        reasons = {name: _reason_against(row, hearings) for name, row in ROWS.items()}
        self.left_out = {n: reason for n, reason in reasons.items() if reason and ROWS[n].always}
        self.by_row: dict[str, dict[Cell, WordErrors]] = {
            name: {cell: hearings.errors(row.take(hearings, cell)) for cell in hearings.cells}
            for name, row in ROWS.items()
            if not reasons[name]
        }

    def scores(self, seed: int) -> list[RowScore]:
        """Return every row in every condition.

        Args:
            seed: Fixes which clips the bootstrap draws.
        """
        scores = []
        for name, by_cell in self.by_row.items():
            for cell, errors in by_cell.items():
                found = rate_interval(errors, seed)
                place = name, cell.condition, cell.snr_db
                scores.append(
                    RowScore(*place, found.value, found.low, found.high, len(errors.words))
                )
        return scores

    def loud_scores(self, seed: int) -> list[LoudScore]:
        """Return the mean of each row over loud noise; nothing where there is none."""
        cells = [cell for cell in self.cells if cell.snr_db in LOUD_NOISE_DB]
        if not cells:
            return []
        parts = {name: [errors[cell] for cell in cells] for name, errors in self.by_row.items()}
        base = parts.get(HEARING)
        return [
            LoudScore(name, mean_interval(e, seed), ratio_interval(e, base, seed) if base else None)
            for name, e in parts.items()
        ]


def _reason_against(row: Row, hearings: Hearings) -> str | None:
    if row.group is not None and row.group not in hearings.names.groups:
        return f"the recogniser has no sets of the group {row.group!r}"
    if row.needs_faces and len(hearings.with_video) < 2:
        return "fewer than two clips have video"
    return None
