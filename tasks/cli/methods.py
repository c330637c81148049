"""mcgurk methods."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from tasks.cli.options import AsJson


def methods(
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option(help="Print a table of Markdown.")] = False,
    counts: Annotated[
        bool, typer.Option(help="Print the published counts that the methods reproduce.")
    ] = False,
) -> None:
    """Show the adapter methods: formula, places, cost on whisper-small."""
    from tasks.cli.quiet import silence_libraries

    silence_libraries()
    from fusion.table import MODEL, counts_to_markdown, method_rows, to_markdown

    if counts:
        print(counts_to_markdown())
        return
    rows = method_rows()
    if as_json:
        print(json.dumps([asdict(row) for row in rows], ensure_ascii=False))
        return
    if markdown:
        print(to_markdown(rows))
        return
    from rich.console import Console

    console = Console(highlight=False)
    for row in rows:
        name, paper, formula, sites, count, merges, per_row, code = row.cells()
        traits = f"merges: {merges}, per row: {per_row}, code: {code}"
        console.print(f"[bold]{name}[/bold]  {count} parameters at {sites}  [dim]{traits}[/dim]")
        console.print(f"    {formula}", markup=False)
        console.print(f"    {paper}\n", style="dim", markup=False)
    console.print(f"Parameters: trained on {MODEL} with the default options.")
