"""Progress bars on stderr."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[float, float | None], None]


@contextmanager
def progress_bar(
    label: str,
    hidden: bool = False,
    show: Callable[[float], str] | None = None,
    remaining: bool = False,
) -> Iterator[Report]:
    """Show a bar while the block runs; nothing where stderr is no terminal.

    Args:
        label: What is being done.
        hidden: Show nothing.
        show: How what is done and the total are written; as minutes and seconds without.
        remaining: Show the time that is left in their place.

    Yields:
        A function to call with what is done and the total, in seconds, None where unknown.
    """
    write = show or _minutes
    if hidden or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    left = (TextColumn("left"), TimeRemainingColumn())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        *(left if remaining else (TextColumn("{task.fields[place]}"),)),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=None, place="")

        def report(done: float, total: float | None) -> None:
            total = max(done, total) if total else total  # a header may claim too little
            place = f"{write(done)} / {write(total)}" if total else write(done)
            progress.update(task, completed=done, total=total, place=place)

        yield report


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
