"""Where a file or folder is written until it is whole: one path for one writer at a time.

A writer that is killed leaves its path behind. The system lets go of its lock, by which the next
writer of the same file knows that nobody works there, and takes the path over.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 255  # bytes that file systems give a name
WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@contextmanager
def partial_path(path: Path, folder: bool = False) -> Iterator[Path]:
    """Give an empty path beside the wanted one, and rename it there when the block ends well.

    Args:
        path: The wanted file or folder; its own folder is there.
        folder: Whether it is one.

    Yields:
        A path with the same suffix; it is removed if the block raises.

    Raises:
        OSError: It cannot be made, or not be renamed.
    """
    partial, handle = _claim(path, folder)
    renamed = False
    try:
        yield partial
        partial.chmod((0o777 if folder else 0o666) & ~_umask())
        partial.replace(path)
        renamed = True  # from now on, what is called so is another writer's
    finally:
        if not renamed:
            _remove(partial)
        if handle is not None:
            os.close(handle)


def _claim(path: Path, folder: bool) -> tuple[Path, int | None]:
    """Make an empty path that is ours alone; with it comes its lock, where the system has any."""
    try:
        import fcntl  # noqa: F401

        number, handle = _first_free(path, folder)
    except (ImportError, OSError) as error:  # there is no fcntl on Windows
        if isinstance(error, OSError) and error.errno not in WITHOUT_LOCKS:
            raise
        _remove(_name(path, 1))
        return _draw(path, folder), None
    partial = _name(path, number)
    if folder:
        for left in partial.iterdir():
            _remove(left)
    else:
        os.ftruncate(handle, 0)
    _remove_dead(path, folder, number + 1)
    return partial, handle


def _first_free(path: Path, folder: bool) -> tuple[int, int]:
    """Lock the first path that no living writer has; return its number and the lock."""
    number, handle = 1, _lock(_name(path, 1), folder)
    while handle is None:
        number += 1
        handle = _lock(_name(path, number), folder)
    return number, handle


def _remove_dead(path: Path, folder: bool, first: int) -> None:
    """Remove what dead writers left at the paths from a number on."""
    number = first
    while (left := _name(path, number)).exists():
        handle = _lock(left, folder)
        if handle is not None:
            _remove(left)
            os.close(handle)
        number += 1


def _lock(partial: Path, folder: bool) -> int | None:
    """Open and lock a path, made where missing; return None where another writer has it."""
    import fcntl

    while True:
        try:
            if folder:
                partial.mkdir(mode=0o700, exist_ok=True)
            kind = os.O_RDONLY | os.O_DIRECTORY if folder else os.O_RDWR | os.O_CREAT
            handle = os.open(partial, kind | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            if os.path.lexists(partial):  # of another user, or no file
                return None
            raise
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(handle, partial):
                return handle
        except BlockingIOError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its writer has renamed or removed it since


def _is_at(handle: int, path: Path) -> bool:
    """Say whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _name(path: Path, number: int) -> Path:
    """Name the path of the number-th of those who write a file at once."""
    start, end = _around(path)
    return path.with_name(f"{start}{number}{end}")


def _draw(path: Path, folder: bool) -> Path:
    """Make a path by chance, where the system has no locks; a killed writer leaves it for ever."""
    start, end = _around(path)
    if folder:
        return Path(tempfile.mkdtemp(end, start, path.parent))
    handle, name = tempfile.mkstemp(end, start, path.parent)
    os.close(handle)
    return Path(name)


def _around(path: Path) -> tuple[str, str]:
    """Return what stands before and after the number in the name, hidden and never too long."""
    end = f".partial{path.suffix}"
    room = LONGEST - len(os.fsencode(end)) - 12
    start = os.fsencode(path.stem)[: max(room, 0)].decode(errors="ignore")
    return f".{start}.", end


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
