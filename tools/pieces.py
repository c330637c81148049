"""Many things made in pieces, by processes, for tools that render a folder."""

from collections.abc import Callable

from data_prep.workers.processes import run_in_processes
from data_prep.workers.resume import Made, Outcome


def make_in_pieces(
    work: Callable[[int], Outcome[Made]],
    count: int,
    piece: int,
    workers: int | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> list[Made]:
    """Return the rows of all pieces, in the order in which those are ready.

    Args:
        work: Makes the piece that begins at a number, in a process of its own.
        count: Things in all.
        piece: Things of a piece; the last may have fewer.
        workers: Processes; as many as cores without.
        progress: Called with the things done, and all.
    """
    rows: list[Made] = []
    for done, outcome in enumerate(run_in_processes(work, range(0, count, piece), workers), 1):
        rows += outcome.made
        if progress:
            progress(min(done * piece, count), count)
    return rows
