"""What any data set of labelled sounds needs, and what to do where it is not so."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from data_prep.sounds.labelled import Sound, classes_of

SHOWN = 3


def require_folder(folder: str | Path, expected: str) -> Path:
    """Return the absolute path of a folder.

    Args:
        folder: What the user gave.
        expected: What should be in it, for the message.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; expected one with {expected}.")
    return folder.resolve()


def check_sounds(sounds: list[Sound], place: Path, expected: str) -> list[Sound]:
    """Return the sounds if one can train on them.

    Args:
        sounds: All of a data set.
        place: Where they were found.
        expected: What should be there, for the message.

    Raises:
        ValueError: There are none, two of one id, or all of one class.
    """
    if not sounds:
        raise ValueError(f"{place} has no sounds; expected {expected}. Is it the right folder?")
    name, times = Counter(sound.id for sound in sounds).most_common(1)[0]
    if times > 1:
        media = next(sound.media for sound in sounds if sound.id == name)
        raise ValueError(
            f"{place} has {times} sounds with the id {name!r}, as {media}; expected one. Rename or "
            "remove the others."
        )
    classes = classes_of(sounds)
    if len(classes) < 2:
        raise ValueError(
            f"{place} has only the class {classes[0]!r}; expected two or more. Add sounds of "
            "another one."
        )
    return sounds


def check_files(sounds: list[Sound], table: Path) -> list[Sound]:
    """Return the sounds if their files are there.

    Raises:
        ValueError: Files are missing.
    """
    refuse_missing([s.media for s in sounds if not Path(s.media).is_file()], table)
    return sounds


def refuse_missing(files: Sequence[str], table: Path) -> None:
    """Tell which files a table names that are not there.

    Raises:
        ValueError: There is one.
    """
    if files:
        more = ", ..." if len(files) > SHOWN else ""
        raise ValueError(
            f"{table} names {len(files)} files that are not there: {', '.join(files[:SHOWN])}"
            f"{more}; expected all. Unpack the whole data set, or take their lines out."
        )
