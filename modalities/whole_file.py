"""Output files that appear whole or not at all."""

import os
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
    finally:
        if partial is not None:
            partial.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
