"""The report of a study: tables of rows, with means and deviations over seeds, and plots."""

from collections.abc import Sequence
from pathlib import Path

from modalities.whole_file import replace_when_whole
from tasks.training.study_plots import draw_parameters, draw_sweep
from tasks.training.study_runs import Result
from tasks.training.study_summary import (
    Measure,
    decimals_of,
    groups_of,
    rows_of,
    split_values,
    summarise,
    values_of,
)

TABLE, PLOT, SWEEP_PLOT = "table.md", "parameters.png", "sweep.png"


def write_report(
    results: Sequence[Result], folder: Path, measures: Sequence[Measure], sweep: str = ""
) -> None:
    """Write table.md, and plots of the first measure.

    parameters.png is left out where all runs train equally many, sweep.png where nothing is swept.

    Args:
        results: One or more.
        folder: For the files.
        measures: Columns of the table, for each group; the first is plotted.
        sweep: The swept option; "" for none.

    Raises:
        OSError: The folder cannot be written.
    """
    plotted = measures[0]
    tables = [row_table(results, measures, sweep=sweep)]
    if sweep:
        tables += [sweep_table(results, group, plotted, sweep) for group in groups_of(results)]
    write_tables(tables, folder)
    (folder / PLOT).unlink(missing_ok=True)
    if len({result.measures["parameters"] for result in results}) > 1:
        draw_parameters(results, plotted, folder / PLOT)
    if sweep:
        draw_sweep(results, plotted, folder / SWEEP_PLOT, sweep)


def write_tables(tables: Sequence[Sequence[str]], folder: Path) -> None:
    """Write table.md: tables, each as its lines, with an empty line between two.

    Raises:
        OSError: The folder cannot be written.
    """
    text = "\n\n".join("\n".join(table) for table in tables) + "\n"
    with replace_when_whole(folder / TABLE) as partial:
        partial.write_text(text, encoding="utf-8")


def row_table(
    results: Sequence[Result], measures: Sequence[Measure], head: str = "row", sweep: str = ""
) -> list[str]:
    """Return lines of Markdown: rows by groups and measures, with trained parameters and seconds.

    Args:
        results: One or more; a row with several values of the swept option has a line for each.
        measures: Columns, for each group.
        head: What stands above the rows.
        sweep: What stands above the values of the swept option; "" for no such column.
    """
    columns = []
    for group in groups_of(results):
        of_group = [result for result in results if result.group == group]
        columns += [_Column(of_group, group, measure) for measure in measures]
    heads = [head, *([sweep] if sweep else []), "trained parameters"]
    lines = _heads([*heads, *(column.head for column in columns), "seconds"])
    for row in rows_of(results):
        for part in split_values([result for result in results if result.row == row]):
            value = part[0].value
            swept = ["" if value is None else str(value)] if sweep else []
            cells = [column.tell(part) for column in columns]
            seconds = f"{summarise(part, 'seconds').mean:.0f}"
            lines.append(_line([row, *swept, _parameters(part), *cells, seconds]))
    return lines


def sweep_table(results: Sequence[Result], group: str, measure: Measure, sweep: str) -> list[str]:
    """Return lines of Markdown: rows of one group by values of the swept option.

    Args:
        results: One or more; those that are not swept are left out.
        group: The group that is told; "" where the study has none.
        measure: The number that is told.
        sweep: The swept option in words.
    """
    ours = [result for result in results if result.group == group and result.value is not None]
    values = values_of(ours)
    column = _Column(ours, group, measure)
    lines = _heads([f"{column.head}, {sweep}", *(str(value) for value in values)])
    for row in rows_of(ours):
        of_row = [result for result in ours if result.row == row]
        cells = [column.tell([r for r in of_row if r.value == value]) for value in values]
        lines.append(_line([row, *cells]))
    return lines


class _Column:
    """A measure in one group, told with the same number of digits in all rows."""

    def __init__(self, results: Sequence[Result], group: str, measure: Measure):
        self.group, self.measure = group, measure
        self.head = ", ".join(filter(None, (group, measure.head or measure.spoken)))
        parts = [p for row in rows_of(results) for p in split_values(_of_row(results, row))]
        cells = [summarise(part, measure.name) for part in parts]
        self.decimals = decimals_of(cells, measure)

    def tell(self, results: Sequence[Result]) -> str:
        """Return the cell of some results; "" where none is of the group."""
        ours = [result for result in results if result.group == self.group]
        return summarise(ours, self.measure.name).tell(self.decimals) if ours else ""


def _of_row(results: Sequence[Result], row: str) -> list[Result]:
    return [result for result in results if result.row == row]


def _parameters(results: Sequence[Result]) -> str:
    """Tell how many are trained; two numbers where groups differ, as by their classes."""
    counts = sorted({result.measures["parameters"] for result in results})
    return " to ".join(f"{count:,.0f}" for count in dict.fromkeys((counts[0], counts[-1])))


def _heads(cells: Sequence[str]) -> list[str]:
    return [_line(cells), _line(["---"] * len(cells))]


def _line(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", r"\|") for cell in cells]  # a name's own would end the cell
    return f"| {' | '.join(escaped)} |"
