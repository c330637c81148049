"""The plots of a study: a measure by trained parameters, and by a swept option."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modalities.whole_file import replace_when_whole
from tasks.training.study_runs import Result
from tasks.training.study_summary import (
    Measure,
    are_numbers,
    groups_of,
    rows_of,
    split_values,
    summarise,
    values_of,
)

MARKERS = "osD^v<>pPX*h"


def draw_parameters(
    results: Sequence[Result], measure: Measure, path: Path, label: str = "trained parameters"
) -> None:
    """Draw a measure by the number of trained parameters, as a PNG with a plot for each group.

    A row is a point with its deviation; one that is swept is a line, from value to value, and one
    that trains nothing, which has no place on a logarithmic axis, a dashed line from side to side.

    Args:
        results: One or more, all with the measure and "parameters".
        measure: What is drawn.
        path: The picture to write, whole or not at all.
        label: What stands below.

    Raises:
        OSError: It cannot be written.
    """
    figure, axes = _figure(groups_of(results))
    for place, group in zip(axes, groups_of(results), strict=True):
        for number, row in enumerate(rows_of(results)):
            parts = split_values([r for r in results if r.group == group and r.row == row])
            cells = [summarise(part, measure.name) for part in parts]
            if not any(result.measures["parameters"] for part in parts for result in part):
                _draw_level(place, cells[0].mean, row, number)
                continue
            place.errorbar(
                [part[0].measures["parameters"] for part in parts],
                [cell.mean for cell in cells],
                [cell.deviation for cell in cells],
                # So many rows lie close together that names beside them would cover each other.
                marker=MARKERS[number % len(MARKERS)],
                color=f"C{number % 10}",
                linestyle="-" if len(parts) > 1 else "none",
                alpha=0.8,
                capsize=3,
                label=_shown(row),
            )
        place.set_xscale("log")
        _mark_narrow(place)
        _finish(place, group, label)
    _label(axes, measure, rows_of(results))
    _save(figure, path)


def draw_sweep(results: Sequence[Result], measure: Measure, path: Path, label: str) -> None:
    """Draw a measure by the swept option, as a PNG with a plot for each group.

    Numbers above 0 are on a logarithmic axis, other numbers on an even one, and what is no number
    side by side. A row that is not swept is a dashed line from side to side.

    Args:
        results: One or more that are swept, all with the measure.
        measure: What is drawn.
        path: The picture to write, whole or not at all.
        label: What stands below.

    Raises:
        OSError: It cannot be written.
    """
    figure, axes = _figure(groups_of(results))
    every = values_of(results)
    for place, group in zip(axes, groups_of(results), strict=True):
        for number, row in enumerate(rows_of(results)):
            parts = split_values([r for r in results if r.group == group and r.row == row])
            cells = [summarise(part, measure.name) for part in parts]
            color = f"C{number % 10}"
            if parts[0][0].value is None:
                _draw_level(place, cells[0].mean, row, number)
                continue
            place.errorbar(
                [_position(part[0].value, every) for part in parts],
                [cell.mean for cell in cells],
                [cell.deviation for cell in cells],
                marker=MARKERS[number // 10],
                color=color,
                capsize=3,
                label=_shown(row),
            )
        if are_numbers(every) and every[0] > 0:
            place.set_xscale("log", base=2)
        place.set_xticks([_position(value, every) for value in every], [str(v) for v in every])
        _finish(place, group, label)
    _label(axes, measure, rows_of(results))
    _save(figure, path)


def _draw_level(place: Any, height: float, row: str, number: int) -> None:
    place.axhline(height, linestyle="--", color=f"C{number % 10}", label=_shown(row))


def _position(value: Any, every: Sequence[Any]) -> float:
    return value if are_numbers(every) else every.index(value)


def _figure(groups: Sequence[str]) -> tuple[Any, list[Any]]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(groups)
    figure = Figure(figsize=(1.5 + 5 * count, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _finish(place: Any, group: str, label: str) -> None:
    place.set_title(_shown(group), fontsize=10)
    place.set_xlabel(label, fontsize=9)
    place.grid(alpha=0.3)


def _mark_narrow(place: Any) -> None:
    """Mark a logarithmic axis of less than two powers of ten, where its own marks would overlap."""
    from matplotlib.ticker import MaxNLocator

    low, high = place.get_xlim()
    if high / low >= 100:
        return
    if high / low < 4:
        marks = list(MaxNLocator(4).tick_values(low, high))
    else:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
        marks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    marks = [mark for mark in marks if low <= mark <= high]
    place.set_xticks(marks, [f"{mark:,.0f}" for mark in marks])
    place.minorticks_off()


def _label(axes: Sequence[Any], measure: Measure, rows: Sequence[str]) -> None:
    axes[0].set_ylabel(measure.axis or measure.spoken, fontsize=9)
    handles, labels = axes[-1].get_legend_handles_labels()
    order = {_shown(row): number for number, row in enumerate(rows)}
    found = sorted(zip(labels, handles, strict=True), key=lambda pair: order[pair[0]])
    labels, handles = zip(*found, strict=True)
    axes[-1].legend(handles, labels, fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))


def _shown(name: str) -> str:
    """Return a name as the plot is to show it: without formulas, and never left out.

    Matplotlib sets what is between two dollars as a formula, and leaves out of its legend what is
    empty or begins with an underscore.
    """
    shown = name.replace("$", r"\$")
    return f" {shown}" if not shown or shown.startswith("_") else shown


def _save(figure: Any, path: Path) -> None:
    with replace_when_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=110)
