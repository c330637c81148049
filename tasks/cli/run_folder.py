"""The folder that a training or an evaluation writes, and how a later run knows it as ours.

A folder whose name nobody typed is written only where it is new, or where `.mcgurk` in it says
that mcgurk wrote it and that its files are as they were left. What lies in a folder with that
mark is no input where a folder above is searched for media.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from data_prep.media.files import MARK
from modalities.outputs import check_output_folder
from modalities.whole_file import replace_when_whole
from tasks.training.folder_lock import LOCK
from tasks.training.launched import is_first

LARGEST = 1_000_000  # bytes; larger files are known by their size alone


@contextmanager
def run_folder(
    typed: Path | None, default: Path, of: Mapping[str, Any] | None = None
) -> Iterator[Path]:
    """Give a folder to write to, and note in the end what is in it.

    Of several processes the first looks and notes. A run that is killed leaves a note without
    files, by which all that is there is its own.

    Args:
        typed: As the user named it, who may mean one that holds other files; None for `default`.
        default: Where nothing was typed.
        of: What the run is on, as JSON has it; another cannot take the same default folder.

    Yields:
        The folder; it need not be there yet.

    Raises:
        ValueError: The default folder holds what mcgurk did not write, or a run on something else.
        OSError: The folder cannot be written.
    """
    folder = typed or default
    if not is_first():
        yield folder
        return
    check_output_folder(folder)
    if typed is None:
        _check_ours(folder, dict(of or {}))
    ours = not folder.exists() or not any(folder.iterdir()) or (folder / MARK).exists()
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    if not ours:
        yield folder
        return
    _write(folder, {"of": dict(of or {}), "files": {}})
    try:
        yield folder
    finally:
        if [path.name for path in folder.iterdir()] == [MARK]:  # a mistake was told
            (folder / MARK).unlink()
            for place in made:
                place.rmdir()
        else:
            # Where another training is at work, which refused this one, all that is there is its.
            files = {} if (folder / LOCK).exists() else _describe(folder)
            _write(folder, {"of": dict(of or {}), "files": files})


def _check_ours(folder: Path, of: dict[str, Any]) -> None:
    if not folder.exists() or not any(folder.iterdir()):
        return
    record = _read(folder / MARK)
    if record is None:
        raise ValueError(
            f"{folder} holds files and no {MARK}, so mcgurk may not have written them. Give a "
            f"folder with -o; {folder} itself too, if it may be written."
        )
    before = record["of"]
    for name in before.keys() | of.keys():
        if before.get(name) != of.get(name):
            raise ValueError(
                f"{folder} holds a run on something else: {name} was {json.dumps(before.get(name))}"
                f", is {json.dumps(of.get(name))}. Give another folder with -o."
            )
    for name, described in _describe(folder).items():
        if record["files"].get(name, described) != described:
            raise ValueError(
                f"{folder / name} was changed since mcgurk wrote it. Move it away, or give another "
                "folder with -o."
            )


def _describe(folder: Path) -> dict[str, Any]:
    """Return size and digest of the files in a folder, not of those deeper down."""
    return {
        path.name: _describe_file(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != MARK
    }


def _describe_file(path: Path) -> list[Any]:
    size = path.stat().st_size
    return [size, None if size > LARGEST else sha256(path.read_bytes()).hexdigest()]


def _read(path: Path) -> dict[str, dict[str, Any]] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: dict(found[name]) for name in ("of", "files")}
    except (ValueError, TypeError, KeyError, OSError):
        return None


def _write(folder: Path, record: dict[str, Any]) -> None:
    with replace_when_whole(folder / MARK) as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
