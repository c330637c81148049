"""Manifests of any kind: one JSON object a line."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from json import JSONDecodeError
from pathlib import Path
from typing import Protocol, Self, TypeVar

from modalities.text_file import read_lines
from modalities.whole_file import replace_when_whole


class Entry(Protocol):
    """What a manifest is made of."""

    @property
    def id(self) -> str:
        """Unique in its manifest."""
        ...

    def to_json(self) -> str:
        """Return one line without its end."""
        ...


class FileEntry(Entry, Protocol):
    """What a manifest is made of whose rows name files."""

    def with_paths(self, change: Callable[[str], str]) -> Self:
        """Return the same with all its paths changed."""
        ...


Read = TypeVar("Read")
Filed = TypeVar("Filed", bound=FileEntry)


def find_manifest(place: str | Path, name: str) -> Path:
    """Return a manifest that is named as a file, or by its folder.

    Args:
        place: Where it is; what is no folder and has no suffix is taken for one that is missing.
        name: What manifests in folders are called.
    """
    path = Path(place).expanduser()
    return path / name if path.is_dir() or not path.suffix else path


def read_entries(path: str | Path, parse: Callable[[str], Read], command: str) -> Iterator[Read]:
    """Read a manifest of any kind, line by line.

    Empty lines are passed over, and so is a last line that is half there: it has no end, as a
    killed program leaves it, and is no JSON. What a person wrote may do without the end.

    Args:
        path: The manifest.
        parse: Reads a line, or raises a ValueError.
        command: What wrote it, for messages.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}; expected a manifest that `{command}` wrote.")
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            yield parse(line)
        except ValueError as error:
            is_json = not isinstance(error, JSONDecodeError)
            if not is_json and not line.endswith("\n"):
                return
            why = error if is_json else f"is no JSON ({error})"
            raise ValueError(
                f"{path}, line {number} {why}; expected what `{command}` writes. Is it the "
                "right folder? If so, make it again."
            ) from error


def write_manifest(path: str | Path, entries: Iterable[Entry]) -> None:
    """Write a manifest as a whole.

    Raises:
        OSError: It cannot be written.
    """
    with replace_when_whole(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.writelines(f"{entry.to_json()}\n" for entry in entries)


def read_file_entries(
    path: str | Path, parse: Callable[[str], Filed], command: str
) -> Iterator[Filed]:
    """Read a manifest whose rows name files, with their paths made absolute.

    Args:
        path: The manifest.
        parse: Reads a line, or raises a ValueError.
        command: What wrote it, for messages.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is damaged, two have one id, or the manifest is of something else.
    """
    path = Path(path)
    folder = path.parent.resolve()
    known: set[str] = set()
    for row in read_entries(path, parse, command):
        if row.id in known:  # what is found for a row goes by it
            raise ValueError(f"{path} has the id {row.id!r} twice; expected one for each row.")
        known.add(row.id)
        yield row.with_paths(lambda name: str(folder / name))


def write_file_entries(path: str | Path, entries: Iterable[FileEntry]) -> None:
    """Write a manifest as a whole; paths below its folder become relative, so that it can move.

    Raises:
        OSError: It cannot be written.
        ValueError: Two have one id, so that it could not be read.
    """
    entries = list(entries)
    twice = [name for name, times in Counter(row.id for row in entries).items() if times > 1]
    if twice:
        raise ValueError(f"Two rows for {path} have the id {twice[0]!r}; expected one for each.")
    folder = Path(path).parent.resolve()

    def shorten(name: str) -> str:
        return str(Path(name).relative_to(folder)) if Path(name).is_relative_to(folder) else name

    write_manifest(path, (entry.with_paths(shorten) for entry in entries))
