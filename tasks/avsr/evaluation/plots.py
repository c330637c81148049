"""A report as pictures: word error rates as a heat map, and what the selector confuses."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modalities.whole_file import replace_when_whole
from tasks.avsr.evaluation.conditions import Cell
from tasks.avsr.evaluation.report import Report
from tasks.avsr.evaluation.selector_scores import SelectorScores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEAT_MAP, CONFUSION = "heat_map.png", "confusion.png"
COLOURS = "YlGnBu"  # told apart without red and green, and in grey; dark is bad
DOTS_PER_INCH = 160
WIDTH_IN = 10.0  # 1600 pixels
ROW_IN, PANEL_IN = 0.36, 0.6  # heights of a row, and of what is above and below all
PANEL_COLUMNS = 16  # side by side, so that numbers stay readable
GAP = 0.25  # between conditions, in cells
IN_TITLE = ("model", "clips", "normaliser")
WORST_WER = 100.0  # darkest; more is written, but not darker


def draw_heat_map(report: Report, path: Path) -> None:
    """Draw rows by conditions, with the word error rate in each cell, 1600 pixels wide.

    Args:
        report: Scores of an evaluation, from `build_report`.
        path: A .png file.

    Raises:
        OSError: It cannot be written.
    """
    rows = list(dict.fromkeys(score.row for score in report.rows))
    found = {(score.row, score.category, score.snr_db): score.wer for score in report.rows}
    panels = split_panels(report.cells)
    panel_in = PANEL_IN + ROW_IN * len(rows)
    figure, several = _start(WIDTH_IN, 0.4 + panel_in * len(panels), len(panels))
    width = max(_place(cells)[-1] + 1 for cells in panels)
    for axes, cells in zip(several, panels, strict=True):
        rates = np.array([[found[row, c.condition, c.snr_db] for c in cells] for row in rows])
        _draw_panel(axes, cells, rates)
        axes.set_yticks(range(len(rows)), rows)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(0, width)
    several[-1].set_xlabel("signal-to-noise ratio, dB", loc="left")
    facts = [f"{name}: {fact}" for name, fact in report.facts.items() if name in IN_TITLE]
    figure.suptitle(f"Word error rate, %   ({'; '.join(facts)})", fontsize=11)
    _save(figure, path)


def split_panels(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Put conditions one below the other where they are too many side by side.

    Args:
        cells: In their order.

    Returns:
        The cells of each panel; a condition is never cut.
    """
    panels: list[list[Cell]] = [[]]
    for _, group in groupby(cells, key=lambda cell: cell.condition):
        condition = list(group)
        if panels[-1] and len(panels[-1]) + len(condition) > PANEL_COLUMNS:
            panels.append([])
        panels[-1] += condition
    return panels


def draw_confusion(scores: SelectorScores, path: Path) -> None:
    """Draw what noise the selector took for what, with counts and shares.

    Args:
        scores: How well a selector knows the noise, from a report.
        path: A .png file.

    Raises:
        OSError: It cannot be written.
    """
    counts = np.array(list(scores.confusion.values()), float)  # [true, said]
    shares = counts / counts.sum(1, keepdims=True)
    figure, (axes,) = _start(3.2 + 1.1 * len(scores.said), 1.9 + 0.6 * len(counts))
    for left in range(len(scores.said)):
        column = zip(counts[:, left], shares[:, left], strict=True)
        texts = [f"{count:.0f}\n{share:.0%}" for count, share in column]
        _draw_column(axes, left, shares[:, left], texts)
    axes.set_xticks(np.arange(len(scores.said)) + 0.5, scores.said)
    axes.set_yticks(range(len(counts)), list(scores.confusion))
    axes.set_xlim(0, len(scores.said))
    axes.set_ylim(len(counts) - 0.5, -0.5)
    axes.set_xlabel("category heard")
    axes.set_ylabel("true category")
    figure.suptitle("What the selector hears: clips, and share of the row", fontsize=11)
    _save(figure, path)


def _start(width: float, height: float, panels: int = 1) -> tuple["Figure", list["Axes"]]:
    """Return a figure, sizes in inches, with panels one below the other."""
    # Not pyplot: it would look for a screen.
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=DOTS_PER_INCH, layout="constrained")
    several = list(figure.subplots(panels, squeeze=False)[:, 0])
    for axes in several:
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return figure, several


def _draw_panel(axes: "Axes", cells: Sequence[Cell], rates: np.ndarray) -> None:
    """Draw the cells of some conditions; rates in percent, [rows, cells]."""
    places = _place(cells)
    for left, column in zip(places, rates.T, strict=True):
        _draw_column(axes, left, column / WORST_WER, [f"{rate:.1f}" for rate in column])
    axes.set_xticks([left + 0.5 for left in places], [_tick(cell) for cell in cells])
    _name_conditions(axes, cells, places)


def _draw_column(axes: "Axes", left: float, darkness: np.ndarray, texts: Sequence[str]) -> None:
    """Draw cells of one column, each 1 x 1, with darkness of 0 to 1."""
    from matplotlib import colormaps

    colours = colormaps[COLOURS](np.clip(darkness, 0, 1))  # [rows, RGBA]
    for row, (colour, text) in enumerate(zip(colours, texts, strict=True)):
        axes.add_patch(_cell(left, row, colour))
        bright = colour[:3] @ (0.299, 0.587, 0.114) > 0.5
        axes.text(
            left + 0.5,
            row,
            text,
            ha="center",
            va="center",
            fontsize=9,
            color="black" if bright else "white",
        )


def _cell(left: float, row: int, colour: np.ndarray):
    from matplotlib.patches import Rectangle

    return Rectangle((left, row - 0.5), 1, 1, facecolor=tuple(colour), edgecolor="white")


def _place(cells: Sequence[Cell]) -> list[float]:
    """Return the left edge of each column, with gaps between conditions."""
    places, left = [], 0.0
    for number, cell in enumerate(cells):
        left += GAP if number and cell.condition != cells[number - 1].condition else 0
        places.append(left)
        left += 1
    return places


def _tick(cell: Cell) -> str:
    return "" if cell.snr_db is None else f"{cell.snr_db:g}"


def _name_conditions(axes: "Axes", cells: Sequence[Cell], places: Sequence[float]) -> None:
    columns = zip(cells, places, strict=True)
    for name, group in groupby(columns, key=lambda column: column[0].condition):
        lefts = [left for _, left in group]
        middle = (lefts[0] + lefts[-1] + 1) / 2
        axes.text(middle, -0.65, name, ha="center", va="bottom", fontweight="bold")


def _save(figure: "Figure", path: Path) -> None:
    with replace_when_whole(path) as partial:
        figure.savefig(partial)
