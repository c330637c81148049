"""A folder that one training at a time works in."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from tasks.training.launched import is_first

LOCK = ".training"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other trainings out of a folder while the block runs, and processes of this one in it.

    The system ends the lock with the process, however that ends. Where the system has no such
    locks, nothing is kept out.

    Args:
        folder: It is made where missing.

    Raises:
        ValueError: Another training is at work there.
        OSError: The folder cannot be written.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        fcntl = None
    if fcntl is None or not is_first():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOCK
    with ExitStack() as stack:
        while True:
            file = stack.enter_context(path.open("w"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(
                    f"Another training is at work in {folder}; wait for its end, or take another "
                    "folder."
                ) from None
            if _is_there(file, path):  # else the one that ended just now has taken it away
                break
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _is_there(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
