"""The table of a study, and its plots: parameters against accuracy, and accuracy by shots."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from modalities.whole_file import replace_when_whole

TABLE, PLOT, SHOTS_PLOT = "table.md", "parameters.png", "shots.png"
MARKERS = "osD^v<>pPX*h"


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


@dataclass(frozen=True)
class Cell:
    """Results of several seeds.

    Attributes:
        accuracy: Mean, percent.
        deviation: Between seeds; 0 for one.
        seconds: Mean of the trainings.
    """

    accuracy: float
    deviation: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.accuracy:.1f} ± {self.deviation:.1f}"


def cell_of(results: Sequence[Result]) -> Cell:
    """Put the results of several seeds together."""
    values = [result.accuracy for result in results]
    spread = stdev(values) if len(values) > 1 else 0.0
    return Cell(mean(values), spread, mean(result.seconds for result in results))


def write_report(results: Sequence[Result], folder: Path) -> None:
    """Write table.md and the plots.

    Raises:
        OSError: The folder cannot be written.
    """
    whole = [result for result in results if not result.shots]
    few = [result for result in results if result.shots]
    parts = [method_table(whole)] if whole else []
    parts += [shot_table(few, task) for task in dict.fromkeys(r.task for r in few)]
    with replace_when_whole(folder / TABLE) as partial:
        partial.write_text("\n\n".join("\n".join(part) for part in parts) + "\n", encoding="utf-8")
    if whole:
        _draw_parameters(whole, folder / PLOT)
    if few:
        _draw_shots(few, folder / SHOTS_PLOT)


def method_table(results: Sequence[Result]) -> list[str]:
    """Return lines of Markdown: methods by task, with trained parameters and seconds."""
    tasks = list(dict.fromkeys(result.task for result in results))
    heads = ["method", "trained parameters", *(f"{task}, %" for task in tasks), "seconds"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for method in dict.fromkeys(result.method for result in results):
        ours = [result for result in results if result.method == method]
        cells = [str(cell_of([r for r in ours if r.task == task])) for task in tasks]
        seconds = f"{cell_of(ours).seconds:.0f}"
        lines.append(_line([method, f"{ours[0].parameters:,}", *cells, seconds]))
    return lines


def shot_table(results: Sequence[Result], task: str) -> list[str]:
    """Return lines of Markdown: methods by sounds of each class."""
    ours = [result for result in results if result.task == task]
    shots = sorted({result.shots for result in ours})
    heads = [f"{task}, %, sounds of each class", *(f"{n}" for n in shots)]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for method in dict.fromkeys(result.method for result in ours):
        cells = [
            str(cell_of([r for r in ours if r.method == method and r.shots == n])) for n in shots
        ]
        lines.append(_line([method, *cells]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _draw_parameters(results: Sequence[Result], path: Path) -> None:
    tasks = list(dict.fromkeys(result.task for result in results))
    methods = list(dict.fromkeys(result.method for result in results))
    figure, axes = _figure(len(tasks))
    for place, task in zip(axes, tasks, strict=True):
        for number, method in enumerate(methods):
            ours = [r for r in results if r.task == task and r.method == method]
            cell = cell_of(ours)
            place.errorbar(
                ours[0].parameters + ours[0].head,
                cell.accuracy,
                cell.deviation,
                # So many methods lie close together that names beside them would cover each other.
                marker=MARKERS[number % len(MARKERS)],
                color=f"C{number % 10}",
                linestyle="none",
                alpha=0.8,
                capsize=3,
                label=method,
            )
        place.set_xscale("log")
        place.set_title(task, fontsize=10)
        place.set_xlabel("trained parameters, head included", fontsize=9)
        place.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy, %", fontsize=9)
    _add_legend(axes)
    _save(figure, path)


def _draw_shots(results: Sequence[Result], path: Path) -> None:
    tasks = list(dict.fromkeys(result.task for result in results))
    figure, axes = _figure(len(tasks))
    every = sorted({result.shots for result in results})
    for place, task in zip(axes, tasks, strict=True):
        for method in dict.fromkeys(result.method for result in results):
            ours = [r for r in results if r.task == task and r.method == method]
            shots = sorted({r.shots for r in ours})
            cells = [cell_of([r for r in ours if r.shots == n]) for n in shots]
            place.errorbar(
                shots,
                [c.accuracy for c in cells],
                [c.deviation for c in cells],
                marker="o",
                capsize=3,
                label=method,
            )
        place.set_xscale("log", base=2)
        place.set_xticks(every, [str(n) for n in every])
        place.set_title(task, fontsize=10)
        place.set_xlabel("sounds of each class", fontsize=9)
        place.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy, %", fontsize=9)
    _add_legend(axes)
    _save(figure, path)


def _add_legend(axes) -> None:  # type: ignore[no-untyped-def]
    axes[-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))


def _figure(count: int):  # type: ignore[no-untyped-def]
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.5 + 5 * count, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _save(figure, path: Path) -> None:  # type: ignore[no-untyped-def]
    with replace_when_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
