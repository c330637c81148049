"""Where uploads lie until they are answered: a folder of this server's alone."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "mcgurk-serve-"


@contextmanager
def private_folder() -> Iterator[Path]:
    """Give an empty folder that only this user can read; it goes with the block.

    What a killed server left behind goes, too: its lock is free. Other servers' folders stay.

    Yields:
        The folder.

    Raises:
        OSError: It cannot be made.
    """
    _remove_dead()
    folder, handle = _claim()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if handle is not None:
            os.close(handle)


def _claim() -> tuple[Path, int | None]:
    """Make a folder and lock it; another server may take it for a dead one's in between."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        handle = _lock(folder)
        if folder.exists():
            return folder, handle
        if handle is not None:
            os.close(handle)


def _remove_dead() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if not _is_ours(folder):
            continue
        handle = _lock(folder)
        if handle is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)


def _is_ours(folder: Path) -> bool:
    """Say whether a folder, not a link to one, belongs to this user."""
    try:
        facts = folder.lstat()
    except OSError:
        return False
    return folder.is_dir() and not folder.is_symlink() and facts.st_uid == os.geteuid()


def _lock(folder: Path) -> int | None:
    """Lock a folder for as long as this process lives; None where another one has it."""
    try:
        import fcntl
    except ImportError:  # Windows: what a killed server left stays
        return None
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
