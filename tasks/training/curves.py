"""Curves of a training, as a picture."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from modalities.whole_file import replace_when_whole


def draw_curves(metrics: Sequence[dict[str, Any]], path: Path, best: int | None = None) -> None:
    """Draw what was measured while training, as a PNG: losses first, then what belongs together.

    Args:
        metrics: Rows with "step" and numbers by name; those before "measured" are of the training.
            What follows a comma in a name says which plot it belongs to, as in "clean, no face".
        path: The picture to write, whole or not at all.
        best: The step of the measurement whose weights were kept, which each plot marks; None
            where it is the last.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    groups = group_by_plot(metrics)
    columns = min(2, max(1, len(groups)))
    lines = -(-max(1, len(groups)) // columns)
    figure = Figure(figsize=(6.4 * columns, 3.6 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (title, names) in enumerate(groups.items()):
        axes = figure.add_subplot(lines, columns, number + 1)
        for name in names:
            points = [(row["step"], row[name]) for row in metrics if name in row]
            label = name.partition(", ")[0].replace("_", " ")
            axes.plot(*zip(*points, strict=True), marker=".", label=label)
        if best is not None:
            axes.axvline(best, color="0.5", linestyle="--", linewidth=1, label=f"best, step {best}")
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("step", fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        low, high = axes.get_ylim()
        low = min(0, low)
        axes.set_ylim(low, high + 0.05 * (high - low))  # the highest curve is not on the frame
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    with replace_when_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=110)


def group_by_plot(metrics: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the names of what was measured by the title of the plot that they belong to.

    Args:
        metrics: Rows of metrics.jsonl, in their order.
    """
    trained = {name for row in metrics for name in takewhile(lambda key: key != "measured", row)}
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for row in metrics for name in row):
        if name not in ("step", "measured"):
            groups.setdefault(_plot_of(name, trained), []).append(name)
    return groups


def _plot_of(name: str, trained: set[str]) -> str:
    if "loss" in name or name in trained:
        return "loss"
    return name.partition(", ")[2] or "validation"
