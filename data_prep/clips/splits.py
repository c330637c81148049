"""Parts of a data set by name: train, val, test."""

import json
from collections.abc import Iterable
from pathlib import Path

from data_prep.clips.manifest import Clip
from modalities.text_file import read_text


def read_split(path: str | Path, part: str) -> frozenset[str]:
    """Return the names in a part of a split.

    Args:
        path: JSON with lists of names, as {"train": [...], "test": [...]}.
        part: One of them.

    Raises:
        FileNotFoundError: No such file.
        ValueError: No JSON of this form, or no such part.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}; expected JSON with lists of clips by part.")
    try:
        parts = {name: frozenset(map(str, names)) for name, names in _load(path).items()}
    except ValueError as error:
        raise ValueError(
            f'{path} is no split ({error}); expected JSON such as {{"test": ["bbaf2n"]}}.'
        ) from error
    if part not in parts:
        raise ValueError(f"{path} has no part {part!r}; known: {', '.join(parts)}.")
    return parts[part]


def _load(path: Path) -> dict[str, list[str]]:
    parts = json.loads(read_text(path))
    if not isinstance(parts, dict) or not all(isinstance(names, list) for names in parts.values()):
        raise ValueError("it is no object of lists")
    return parts


def choose_clips(clips: Iterable[Clip], names: frozenset[str]) -> list[Clip]:
    """Return the clips that are named, in their order.

    Args:
        clips: All clips of a manifest, among which to choose.
        names: Ids, or what follows the last _ in an id, as GRID's "bbaf2n" in "s1_bbaf2n".

    Raises:
        ValueError: None is named.
    """
    chosen = [clip for clip in clips if clip.id in names or clip.id.rpartition("_")[2] in names]
    if not chosen:
        raise ValueError(
            f"None of the {len(names)} names of the split is the id of a clip, such as "
            f"{next(iter(names), 'none')!r}. Is it the split of these clips?"
        )
    return chosen
