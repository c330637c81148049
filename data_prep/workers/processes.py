"""Work on many clips at once, on the cores of this machine."""

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_in_processes(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int | None = None
) -> Generator[Result, None, None]:
    """Do the same work on each item, in processes, few more at a time than there are.

    Args:
        work: A function of a module, or `functools.partial` of one.
        items: What it is called with.
        workers: Processes; as many as cores without. One works in this process.

    Yields:
        Results, in the order in which they are ready.

    Raises:
        ValueError: Fewer workers than one.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; expected 1 or more, or none for as many as cores.")
    count = min(workers or os.cpu_count() or 1, len(items))
    if count <= 1:
        yield from map(work, items)
        return
    rest = iter(items)
    # Not forked: torch's threads do not survive it.
    with ProcessPoolExecutor(count, get_context("spawn"), _start_worker) as pool:
        waiting: set[Future[Result]] = set()
        try:
            while True:
                more = islice(rest, 2 * count - len(waiting))
                with _deaf_to_interrupts():  # the first of them starts all processes
                    waiting |= {pool.submit(work, item) for item in more}
                if not waiting:
                    return
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Put interrupts off: processes that are started know none, and none is left half started."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    asked: list[int] = []
    here = threading.current_thread() is threading.main_thread()  # where interrupts are answered
    # The mask goes on to processes; another thread may be given the interrupt all the same.
    handler = signal.signal(signal.SIGINT, lambda number, _: asked.append(number)) if here else None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if here and handler is not None:
            signal.signal(signal.SIGINT, handler)
        if asked:
            signal.raise_signal(signal.SIGINT)


def _start_worker() -> None:
    """Work on one core, let the parent alone answer an interrupt, and end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import torch

    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A worker whose parent was killed otherwise waits for work for ever.
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
