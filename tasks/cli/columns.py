"""Tables on stdout."""

from collections.abc import Sequence

from tasks.pictures.line_breaks import columns_of


def print_columns(head: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print cells below each other; columns that hold nothing are left out."""
    rows = [head, *lines]
    kept = [n for n in range(len(head)) if any(line[n] for line in lines)]
    widths = {n: max(columns_of(row[n]) for row in rows) for n in kept}
    for row in rows:
        cells = [row[n] + " " * (widths[n] - columns_of(row[n])) for n in kept]
        print("  ".join(cells).rstrip())
