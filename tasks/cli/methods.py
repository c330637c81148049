"""mcgurk methods."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.cli.options import AsJson

if TYPE_CHECKING:
    from rich.console import Console

    from fusion.papers.table import MethodRow

WIDTH = 150  # columns that the table needs


def methods(
    as_json: AsJson = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a table of Markdown.")
    ] = False,
    counts: Annotated[
        bool,
        typer.Option("--counts", help="Print the published counts that the methods reproduce."),
    ] = False,
) -> None:
    """Show the adapter methods: formulas, places, costs.

    Costs are on whisper-small, with the default options.
    """
    from fusion.papers import table

    if as_json:
        rows = table.read_counts() if counts else table.read_methods()
        print(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
        return
    if counts:
        print(table.counts_to_markdown(table.read_counts()))
    elif markdown:
        print(table.to_markdown(table.read_methods()))
    else:
        print_methods(table.read_methods())


def print_methods(rows: list["MethodRow"]) -> None:
    """Print a table where the terminal is wide enough, and a list elsewhere."""
    from rich.console import Console

    from fusion.papers.table import MODEL

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    print_table(console, rows) if console.width >= WIDTH else print_list(console, rows)
    console.print(f"Parameters: trained on {MODEL} with the default options.")


def print_table(console: "Console", rows: list["MethodRow"]) -> None:
    """Print a line or some for each method, for wide terminals and files."""
    from rich.markup import escape
    from rich.table import Table

    from fusion.papers.table import COLUMNS

    name, paper, formula, sites, _, *traits = COLUMNS
    table = Table(box=None, padding=(0, 2, 1, 0), header_style="bold")
    table.add_column(name, no_wrap=True)
    table.add_column(paper, max_width=34)
    table.add_column(formula, max_width=50)
    table.add_column(sites, max_width=16)
    table.add_column("parameters", justify="right", no_wrap=True)
    for trait in traits:
        table.add_column(trait)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row.cells()))
    console.print(table)


def print_list(console: "Console", rows: list["MethodRow"]) -> None:
    """Print a paragraph for each method, for narrow terminals."""
    for row in rows:
        name, paper, formula, sites, count, merges, per_row, source = row.cells()
        traits = f"mergeable: {merges}, per sample: {per_row}, source: {source}"
        console.print(f"[bold]{name}[/bold]  {count} parameters at {sites}")
        console.print(f"    {formula}", markup=False)
        console.print(f"    {traits}", style="dim", markup=False)
        console.print(f"    {paper}\n", style="dim", markup=False)
