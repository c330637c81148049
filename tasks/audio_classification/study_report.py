"""The table of a study, and its plots: parameters against accuracy, and accuracy by shots."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.training import study_runs
from tasks.training.study_plots import draw_parameters, draw_sweep
from tasks.training.study_report import PLOT, row_table, sweep_table, write_tables
from tasks.training.study_summary import Measure, groups_of

SHOTS_PLOT = "shots.png"
ACCURACY = Measure("accuracy", "%", "accuracy, %", 1)


@dataclass(frozen=True)
class Result:
    """What one experiment came to.

    Attributes:
        method: What the study calls the method.
        task: What the study calls the task.
        shots: Sounds of each class that it was trained on; 0 for all.
        seed: Fixed the start, what was drawn and which few sounds were taken.
        accuracy: On the test sounds, percent.
        parameters: Trained in the encoder, normalisations included.
        head: Trained beside it.
        seconds: That training took.
    """

    method: str
    task: str
    shots: int
    seed: int
    accuracy: float
    parameters: int
    head: int
    seconds: float


def write_report(results: Sequence[Result], folder: Path) -> None:
    """Write table.md and the plots.

    Raises:
        OSError: The folder cannot be written.
    """
    whole = [result for result in results if not result.shots]
    few = [_general(result, result.parameters) for result in results if result.shots]
    tables = []
    if whole:
        tables.append(row_table([_general(r, r.parameters) for r in whole], [ACCURACY], "method"))
        placed = [_general(result, result.parameters + result.head) for result in whole]
        label = "trained parameters, head included"
        draw_parameters(placed, ACCURACY, folder / PLOT, label)
    if few:
        label = "sounds of each class"
        tables += [sweep_table(few, task, ACCURACY, label) for task in groups_of(few)]
        draw_sweep(few, ACCURACY, folder / SHOTS_PLOT, label)
    write_tables(tables, folder)


def _general(result: Result, parameters: int) -> study_runs.Result:
    """Return a result as reports of any task take it, with what counts as trained."""
    measures = {
        "accuracy": result.accuracy,
        "parameters": parameters,
        "seconds": result.seconds,
    }
    return study_runs.Result(
        result.method, result.task, result.shots or None, result.seed, measures
    )
