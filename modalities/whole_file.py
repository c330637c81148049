"""Output files and folders that appear whole or not at all."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replace_when_whole(path: str | Path) -> Iterator[Path]:
    """Give a path beside the wanted one, and rename it there when the block ends well.

    Args:
        path: The wanted file; its folder is made where missing.

    Yields:
        A path in the same folder with the same suffix; it is removed if the block raises.

    Raises:
        IsADirectoryError: The wanted path is a folder.
        OSError: The folder cannot be made or written.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"Cannot write {path}: it is a folder; expected a file name.")
    partial: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}.", suffix=f".partial{path.suffix}", dir=path.parent
        )
        os.close(handle)
        partial = Path(name)
        yield partial
        partial.chmod(0o666 & ~_umask())
        partial.replace(path)
    except OSError as error:
        if partial is not None and error.filename not in (None, str(partial)):
            raise  # of another file
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot be written: {reason}", str(path)) from error
    except Exception as error:
        code = _error_number(error)
        if code is None:
            raise
        raise OSError(code, f"cannot be written: {os.strerror(code)}", str(path)) from error
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


@contextmanager
def folder_when_whole(path: str | Path) -> Iterator[Path]:
    """Give a folder beside the wanted one, and rename it there when the block ends well.

    Args:
        path: The wanted folder, which must be new or empty; its parents are made where missing.

    Yields:
        An empty folder; it is removed with all in it if the block raises.

    Raises:
        ValueError: Something is there already.
        OSError: The folder cannot be made or written.
    """
    path = Path(path)
    check_new_folder(path)
    partial: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        yield partial
        partial.chmod(0o777 & ~_umask())
        partial.replace(path)
    except shutil.Error as error:  # of many files; each with its place before the reason
        reason = re.sub(r"^\[Errno \d+\] |: '.*$", "", str(error.args[0][0][-1]))
        raise OSError(None, f"cannot be written: {reason}", str(path)) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def _error_number(error: Exception) -> int | None:
    """Return the system's number of an error that a library tells as one of its own, if it is one.

    torch ends in a RuntimeError after the system's; safetensors writes its number into the text.
    """
    if isinstance(error, RuntimeError) and isinstance(error.__context__, OSError):
        return error.__context__.errno
    told = re.search(r"\(os error (\d+)\)", str(error))
    return int(told[1]) if told else None


def check_new_folder(path: str | Path) -> None:
    """Check that a folder is new or empty.

    Raises:
        ValueError: Something is there already.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{path} is there already; expected a new or empty folder.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
