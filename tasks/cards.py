"""Cards of what training wrote: JSON that comes last, so that a folder without is not whole."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from modalities.folder_contents import MARKS, describe_folder
from modalities.text_file import read_text
from modalities.whole_file import replace_when_whole

Card = TypeVar("Card")


def find_in(shipped: Path, name: str | Path, file: str) -> Path:
    """Return the folder of what comes with mcgurk by a name, or where none is called so the path.

    Args:
        shipped: Where such folders are.
        name: As a user types it; a folder of that name goes first.
        file: Name of the card in them.
    """
    folder = shipped / str(name)
    plain = bool(str(name)) and str(name) == folder.name and not Path(name).is_dir()
    return folder if plain and (folder / file).is_file() else Path(name).expanduser()


def list_in(shipped: Path, file: str) -> list[str]:
    """Return the names of what comes with mcgurk, sorted.

    Args:
        shipped: Where its folders are.
        file: Name of the card in them; a folder without is none.
    """
    return sorted(path.parent.name for path in shipped.glob(f"*/{file}"))


@contextmanager
def card_comes_last(folder: Path, file: str, card: Any) -> Iterator[None]:
    """Write a card when all else in a folder has been written inside.

    Args:
        folder: Made where it is not there; a card of before goes first.
        file: The card's name.
        card: A dataclass.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).unlink(missing_ok=True)
    yield
    with replace_when_whole(folder / file) as partial:
        partial.write_text(json.dumps(asdict(card), indent=1) + "\n", encoding="utf-8")


def read_card_file(
    folder: str | Path,
    file: str,
    kind: Callable[..., Card],
    again: str,
    lists: Sequence[str] = (),
    parts: Callable[[dict[str, Any]], dict[str, Any]] = lambda data: {},
) -> Card:
    """Read a card.

    Args:
        folder: That training wrote.
        file: The card's name.
        kind: Makes it of its entries; those of a dataclass have to be of the kinds it says.
        again: What to do where it is damaged, as "train the segmenter again".
        lists: Entries that are tuples.
        parts: Takes entries out that are no plain values, and returns what they become.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged.
    """
    path = Path(folder) / file
    if not path.is_file():
        raise FileNotFoundError(_tell_missing(folder, file))
    try:
        data: dict[str, Any] = json.loads(read_text(path))
        taken = {name: tuple(data.pop(name)) for name in lists} | parts(data)
        card = kind(**taken, **data)
        check_kinds(card)
        return card
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error}); {again}.") from error


def _tell_missing(folder: str | Path, file: str) -> str:
    kind = MARKS.get(file, f"a {file}")
    if not Path(folder).is_dir():
        return f"There is no folder {folder}; expected that of {kind}. Is the name right?"
    return (
        f"{folder} holds no {file}: it holds {describe_folder(folder)}; expected the folder of "
        f"{kind}, as `mcgurk train` leaves it when it ends. Name that."
    )


def check_kinds(card: Any) -> None:
    """Check that entries are of the kinds that their dataclass says.

    Args:
        card: A dataclass; anything else is passed over.

    Raises:
        TypeError: One is another.
    """
    if not is_dataclass(card):
        return
    hints = get_type_hints(type(card))
    for name in (field.name for field in fields(card)):
        value = getattr(card, name)
        if not _is_of_kind(value, hints[name]):
            raise TypeError(f"{name} is {value!r}")


def _is_of_kind(value: Any, hint: Any) -> bool:
    """Say whether a value is a text, a number, a list of such or a table, as a hint says it."""
    kind = get_origin(hint) or hint
    if kind is tuple and get_args(hint)[1:] == (...,):
        return isinstance(value, tuple) and all(_is_of_kind(v, get_args(hint)[0]) for v in value)
    if kind in (int, float):
        numbers = int if kind is int else int | float
        return isinstance(value, numbers) and not isinstance(value, bool)
    return not isinstance(kind, type) or isinstance(value, kind)
