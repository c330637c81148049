"""What is checked of outputs before any work: that they can be written, and that nothing is lost.

Every command and function that writes files beside reading some asks here, so that all mean the
same by "the same file": one path through links, one file under two names, one spelling or another.
"""

import os
import tempfile
from collections.abc import Callable, Iterable
from errno import ENOTDIR
from functools import cache
from pathlib import Path

from modalities.whole_file import cannot_write, check_no_folder

AnyPath = str | Path
Key = tuple[int, int] | str  # device and inode of what is there, or the whole path


def check_outputs(
    files: Iterable[AnyPath | None],
    inputs: Iterable[AnyPath | None] = (),
    folders: Iterable[AnyPath] = (),
    kept: Iterable[AnyPath | None] = (),
) -> None:
    """Check that outputs can be written, and that none of them is an input or another output.

    Args:
        files: To be written or replaced; None is passed over, here and below.
        inputs: Files and folders that are read.
        folders: To be replaced with all that is in them.
        kept: Folders, or files, which stay whole: no file in them may be replaced.

    Raises:
        ValueError: An output is an input, another output, or in place of what has to stay.
        OSError: An output cannot be written; it is a folder where a file is to be, or the other
            way round.
    """
    key_of = cache(_key)
    files = [Path(path) for path in files if path is not None]
    folders = [Path(path) for path in folders]
    sources = [Path(path) for path in (*inputs, *kept) if path is not None]
    _check_apart([*files, *folders], key_of)
    read = {key_of(source): source for source in sources}
    for path in (*files, *folders):
        if source := read.get(key_of(path)):
            name = "" if str(source) == str(path) else f", {source}"
            raise ValueError(f"The output {path} is the input itself{name}. Give it another name.")
    for folder in folders:
        _check_holds_none(folder, sources)
    for folder in (Path(path) for path in kept if path is not None):
        for path in (*files, *folders):
            if path.exists() and path.resolve().is_relative_to(folder.resolve()):
                raise ValueError(
                    f"The output {path} is a file of the input {folder}. Give it another name."
                )
    _check_writable(files, folders)


def check_output_folder(folder: AnyPath) -> None:
    """Check that files can be written in a folder, which is made later where missing.

    Raises:
        OSError: They cannot, or it is a file.
    """
    folder = Path(folder)
    check_no_file(folder)
    _try_to_write(folder, folder)


def check_no_file(folder: Path) -> None:
    """Check that a folder to write is no file.

    Raises:
        NotADirectoryError: It is.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise NotADirectoryError(f"Cannot write {folder}: it is a file; expected a folder.")


def _key(path: Path) -> Key:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return str(path.resolve())
    return found.st_dev, found.st_ino


def _check_apart(outputs: Iterable[Path], key_of: Callable[[Path], Key]) -> None:
    """Check that no two outputs are one file, and none is a folder that another needs."""
    seen: dict[Key, Path] = {}
    for path in outputs:
        if (other := seen.setdefault(key_of(path), path)) is not path:
            names = f"{other} and {path}" if str(other) != str(path) else str(path)
            raise ValueError(f"Two outputs are one file: {names}. Give each a name of its own.")
    for path in seen.values():
        for parent in path.resolve().parents:
            if other := seen.get(key_of(parent)):
                raise ValueError(f"The output {path} would lie in {other}, which is an output too.")


def _check_holds_none(folder: Path, sources: Iterable[Path]) -> None:
    whole = folder.resolve()
    for source in sources:
        if source.resolve().is_relative_to(whole):
            raise ValueError(
                f"The output {folder} holds the input {source}, which would be lost. Give it "
                "another name."
            )


def _check_writable(files: Iterable[Path], folders: Iterable[Path]) -> None:
    """Check it once for each folder that outputs lie in."""
    tried: set[Path] = set()
    for path in files:
        check_no_folder(path)
        if path.parent not in tried:
            tried.add(path.parent)
            _try_to_write(path.parent, path)
    for path in folders:
        check_no_file(path)
        _try_to_write(path.parent, path)


def _try_to_write(folder: Path, path: Path) -> None:
    """Write a file without a name in a folder, or in the nearest that is there."""
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not there.is_dir():
        raise cannot_write(path, NotADirectoryError(ENOTDIR, f"{there} is no folder"))
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise cannot_write(path, error) from error
