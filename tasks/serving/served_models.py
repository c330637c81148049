"""Which models are served under which names; a client names nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.avsr.sets.collection import find_collection, list_collections, read_collection

ALIAS = "whisper-1"  # what OpenAI's clients ask for where they are not told
DEFAULT = "whisper-tiny.en"


@dataclass(frozen=True)
class ServedModel:
    """A frozen Whisper, with or without adapter sets.

    Attributes:
        name: What clients call it.
        model: A catalog name, a folder, a hub id or an OpenAI .pt file.
        sets: A collection by name or folder; None for the frozen model alone.
    """

    name: str
    model: str
    sets: str | None = None


def list_default() -> list[str]:
    """Return what is served where nothing else is asked for: Whisper tiny.en and sets for it."""
    found = list_collections()
    of_default = [name for name in found if read_collection(found[name]).model == DEFAULT]
    return [DEFAULT, *(f"{DEFAULT}+{name}" for name in of_default)]


def read_served(texts: Sequence[str]) -> dict[str, ServedModel]:
    """Read which models are to be served.

    Args:
        texts: `[NAME=]MODEL[+SETS]` each; without a NAME clients use the text, of paths their last
            parts.

    Returns:
        The models by name, in order; the first is the one that is taken by default.

    Raises:
        ValueError: A part is empty, a name comes twice, or there are no such sets, or they are for
            another model.
        FileNotFoundError: A folder is no collection.
    """
    served: dict[str, ServedModel] = {}
    for text in texts:
        one = _read(text)
        if one.name in served or one.name == ALIAS:
            raise ValueError(
                f"Two models are called {one.name!r}; expected one. Name it: OTHER={text}."
            )
        _check_sets(one)
        served[one.name] = one
    if not served:
        raise ValueError("No model is named; expected one at least, as whisper-tiny.en.")
    return served


def find_served(served: dict[str, ServedModel], name: str) -> ServedModel | None:
    """Return a model by what a client calls it, or None."""
    return next(iter(served.values())) if name == ALIAS else served.get(name)


def _read(text: str) -> ServedModel:
    name, mark, rest = text.partition("=")
    what = rest if mark else text
    model, plus, sets = (what, "", "") if Path(what).is_dir() else what.rpartition("+")
    if not plus:
        model, sets = what, ""
    if not model or (mark and not name) or (plus and not sets):
        raise ValueError(f"Model {text!r} is not complete; expected [NAME=]MODEL[+SETS].")
    if not mark:
        name = "+".join(
            Path(part).name if _is_path(part) else part for part in (model, sets) if part
        )
    return ServedModel(name, model, sets or None)


def _is_path(part: str) -> bool:
    return Path(part).exists() or part.startswith((".", "/", "~"))


def _check_sets(one: ServedModel) -> None:
    if one.sets is None:
        return
    collection = read_collection(find_collection(one.sets))
    if collection.model != one.model:
        raise ValueError(
            f"The sets {one.sets!r} are for {collection.model}; expected with that model, not "
            f"{one.model}."
        )
