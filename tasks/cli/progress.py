"""Progress on stderr: a bar on a terminal, a line now and then in a log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

Report = Callable[[float, float | None], None]
EVERY_S = 30.0  # between two lines in a log


@contextmanager
def progress_bar(
    label: str,
    hidden: bool = False,
    show: Callable[[float], str] | None = None,
    remaining: bool = False,
) -> Iterator[Report]:
    """Show a bar while the block runs; where stderr is no terminal, a line every half minute.

    Args:
        label: What is being done.
        hidden: Show nothing.
        show: How what is done and the total are written; as minutes and seconds without.
        remaining: Show the time that is left in their place.

    Yields:
        A function to call with what is done and the total, in seconds, None where unknown.
    """
    write = show or _minutes
    if hidden:
        yield lambda done, total: None
        return
    if not sys.stderr.isatty():
        yield _lines(label, write, remaining)
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
            progress.update(task, completed=done, total=total, place=_place(write, done, total))

        yield report


def _lines(label: str, write: Callable[[float], str], remaining: bool) -> Report:
    """Return what writes a line of the log every half minute, with about how long it still takes.

    Args:
        label: What is being done.
        write: How what is done and the total are written.
        remaining: Leave them out where the end is known.
    """
    last = monotonic()
    first: tuple[float, float] | None = None  # what was interrupted begins in the middle

    def report(done: float, total: float | None) -> None:
        nonlocal last, first
        now = monotonic()
        since, begun = first = first or (now, done)
        if now - last < EVERY_S:
            return
        told = [] if remaining and total else [_place(write, done, total)]
        if total and begun < done <= total:
            seconds = (now - since) * (total - done) / (done - begun)
            told.append(f"about {_minutes(seconds)} left")
        if told:
            last = now
            print(f"mcgurk: {label}: {', '.join(told)}", file=sys.stderr, flush=True)

    return report


def _place(write: Callable[[float], str], done: float, total: float | None) -> str:
    return f"{write(done)} / {write(total)}" if total else f"{write(done)} done"


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
