"""Output files and folders that appear whole or not at all."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modalities.partial_path import partial_path


@contextmanager
def replace_when_whole(path: str | Path) -> Iterator[Path]:
    """Give a path beside the wanted one, and rename it there when the block ends well.

    What a killed program left of the same file is taken over; a program that writes it at the same
    time works at a path of its own.

    Args:
        path: The wanted file; its folder is made where missing.

    Yields:
        A path in the same folder with the same suffix; it is removed if the block raises.

    Raises:
        IsADirectoryError: The wanted path is a folder.
        OSError: The folder cannot be made or written.
    """
    path = Path(path)
    check_no_folder(path)
    partial: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial_path(path) as partial:
            yield partial
    except OSError as error:
        if partial is not None and error.filename not in (None, str(partial)):
            raise  # of another file
        raise cannot_write(path, error) from error
    except Exception as error:
        code = _error_number(error)
        if code is None:
            raise
        raise cannot_write(path, OSError(code, os.strerror(code))) from error


@contextmanager
def folder_when_whole(path: str | Path) -> Iterator[Path]:
    """Give a folder beside the wanted one, and rename it there when the block ends well.

    Args:
        path: The wanted folder, which must be new or empty; its parents are made where missing.

    Yields:
        An empty folder; it is removed with all in it if the block raises.

    Raises:
        ValueError: Something is there already, or has come in the meantime.
        OSError: The folder cannot be made or written.
    """
    path = Path(path)
    check_new_folder(path)
    partial: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial_path(path, folder=True) as partial:
            yield partial
    except shutil.Error as error:  # of many files; each with its place before the reason
        reason = re.sub(r"^\[Errno \d+\] |: '.*$", "", str(error.args[0][0][-1]))
        raise OSError(None, f"cannot be written: {reason}", str(path)) from error
    except OSError as error:
        if partial is None:
            raise cannot_write(path, error) from error
        if str(error.filename) == str(partial):  # another writer's folder came first
            check_new_folder(path)
        raise


def cannot_write(path: Path, error: OSError) -> OSError:
    """Return an error that names a file and says why it cannot be written."""
    reason = error.strerror or str(error)
    return OSError(error.errno, f"cannot be written: {reason}", str(path))


def check_no_folder(path: Path) -> None:
    """Check that a file to write is no folder.

    Raises:
        IsADirectoryError: It is.
    """
    if path.is_dir():
        raise IsADirectoryError(f"Cannot write {path}: it is a folder; expected a file name.")


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
