"""Sounds with a label, and what a training takes of them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from data_prep.json_lines import read_entries

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Sound:
    """A recording of one class, or a stretch of one.

    Attributes:
        id: Unique in its data set.
        media: The recording, absolute or relative to the manifest's folder.
        label: The class by name.
        fold: The data set's own part, as "3", "train", "validation" or "test"; "" without.
        speaker: Who, or None.
        start_s: Where it starts in the recording.
        end_s: Where it ends; None: with the recording.
    """

    id: str
    media: str
    label: str
    fold: str = ""
    speaker: str | None = None
    start_s: float = 0.0
    end_s: float | None = None

    def to_json(self) -> str:
        """Return one line without its end."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "Sound":
        """Read what `to_json` returned.

        Raises:
            ValueError: It is damaged, or of another form.
        """
        data = json.loads(line)
        try:
            return cls(**data)
        except TypeError as error:
            raise ValueError(f"is no labelled sound ({error})") from error


@dataclass(frozen=True)
class Fold:
    """Sounds that train, that choose the model, and that test; see `check_fold`."""

    train: tuple[Sound, ...]
    validation: tuple[Sound, ...]
    test: tuple[Sound, ...]


def read_sounds(path: str | Path) -> Iterator[Sound]:
    """Read what `data_prep.json_lines.write_manifest` wrote of sounds, one by one.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is damaged.
    """
    return read_entries(path, Sound.from_json, "write_manifest")


def classes_of(sounds: Iterable[Sound]) -> list[str]:
    """Return the labels that occur, sorted."""
    return sorted({sound.label for sound in sounds})


def folds_of(sounds: Iterable[Sound]) -> list[str]:
    """Return the folds that occur, numbers by their value."""
    names = {sound.fold for sound in sounds}
    return sorted(names, key=lambda name: (int(name) if name.isdecimal() else 0, name))


def choose(sounds: Sequence[Sound], folds: str | Iterable[str]) -> list[Sound]:
    """Return the sounds of some folds, in their order.

    Args:
        sounds: All sounds of a data set, among which to choose by their `fold`.
        folds: A fold, or several.

    Raises:
        ValueError: None is named, or one has no sounds.
    """
    names = as_names(folds)
    known = folds_of(sounds)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(
            f"No sounds of the folds {unknown or names}; expected some of {known}. Name one of "
            'these (fold "" is of sounds without: give them one first).'
        )
    return [sound for sound in sounds if sound.fold in names]


def as_names(names: str | Iterable[str]) -> list[str]:
    """Return one name, or several, as a list without repeats."""
    return [names] if isinstance(names, str) else list(dict.fromkeys(names))


def check_fold(fold: Fold) -> Fold:
    """Return the parts if they are fair: none is empty that must not be, no sound is in two.

    Raises:
        ValueError: Train or test is empty, a sound is in two, or train lacks a class of another.
    """
    parts = {name: getattr(fold, name) for name in PARTS}
    empty = [name for name in ("train", "test") if not parts[name]]
    if empty:
        raise ValueError(
            f"No sounds are left to {empty[0]}; expected some. Take fewer for the other parts."
        )
    _refuse_repeats(parts)
    trained = set(classes_of(fold.train))
    for name in ("validation", "test"):
        unknown = [label for label in classes_of(parts[name]) if label not in trained]
        if unknown:
            raise ValueError(
                f"Class {unknown[0]!r} is in {name} and not in train; expected all of its classes "
                "there. Choose another split, or leave the class out."
            )
    return fold


def _refuse_repeats(parts: dict[str, tuple[Sound, ...]]) -> None:
    counts = Counter(sound.id for part in parts.values() for sound in part)
    for name, times in counts.most_common(1):
        if times > 1:
            raise ValueError(f"Sound {name!r} comes {times} times; expected once. Keep one of it.")
