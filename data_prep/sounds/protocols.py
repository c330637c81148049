"""Which sounds train, choose the model and test, so that no test sound does more."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from data_prep.sounds.labelled import (
    PARTS,
    Fold,
    Sound,
    as_names,
    check_fold,
    choose,
    classes_of,
    folds_of,
)

Validation = Literal["next", "none"]


def k_folds(
    sounds: Sequence[Sound],
    folds: str | Iterable[str] | None = None,
    validation: Validation = "next",
) -> list[tuple[str, Fold]]:
    """Let each fold test once.

    Args:
        sounds: A data set, each sound in a numbered fold: three folds or more, two without
            validation.
        folds: Those that test; None: all, one after the other.
        validation: "next": the fold after the one that tests chooses the model, the first after
            the last. "none": nothing does, and all others train.

    Returns:
        The name of the fold that tests, with the parts.

    Raises:
        ValueError: Sounds have no folds or too few; no such fold; a class is not in train.
    """
    if validation not in get_args(Validation):
        raise ValueError(f"No validation {validation!r}; known: {', '.join(get_args(Validation))}.")
    known = folds_of(sounds)
    least = 3 if validation == "next" else 2
    if "" in known or len(known) < least:
        raise ValueError(
            f"The folds are {known}; expected {least} or more, and one for each sound. Use "
            "`hold_out_speakers` or `official`, or give each sound a fold."
        )
    names = known if folds is None else as_names(folds)
    choose(sounds, names)  # tells which are unknown, before any work
    return [(name, _rotate(sounds, known, name, validation)) for name in names]


def _rotate(sounds: Sequence[Sound], known: list[str], name: str, validation: Validation) -> Fold:
    test = choose(sounds, name)
    following = known[(known.index(name) + 1) % len(known)]
    chooses = choose(sounds, following) if validation == "next" else []
    used = {name, following} if validation == "next" else {name}
    train = choose(sounds, [fold for fold in known if fold not in used])
    return check_fold(Fold(tuple(train), tuple(chooses), tuple(test)))


def official(sounds: Sequence[Sound], share: float = 0.1, seed: int = 0) -> Fold:
    """Take the folds "train", "validation" and "test" as their authors gave them.

    Args:
        sounds: A data set whose folds are called train, test and perhaps validation.
        share: Part of each class in train that chooses the model where there is no validation,
            above 0 and below 1; see `held_back`.
        seed: Which sounds are held back where there is no validation; another one gives others.

    Raises:
        ValueError: Other folds, no train or test; a class is not in train.
    """
    known = folds_of(sounds)
    if not {"train", "test"} <= set(known) <= set(PARTS):
        raise ValueError(
            f"The folds are {known}; expected train, test and maybe validation. Use `k_folds` or "
            "`hold_out_speakers`."
        )
    train, validation, test = (tuple(s for s in sounds if s.fold == name) for name in PARTS)
    fold = check_fold(Fold(train, validation, test))
    return fold if validation else held_back(fold, share, seed)


def hold_out_speakers(
    sounds: Sequence[Sound],
    speakers: str | Iterable[str],
    validation: str | Iterable[str] = (),
    share: float = 0.1,
    seed: int = 0,
) -> Fold:
    """Test on speakers that no training hears.

    Args:
        sounds: Each with its speaker; folds do not matter.
        speakers: Those that test.
        validation: Those that choose the model; none: `held_back` from the rest.
        share: Part of each class in train that chooses the model where no speaker does, above 0 and
            below 1; see `held_back`.
        seed: Which sounds are held back where no speaker chooses; another one gives others.

    Raises:
        ValueError: No speakers, unknown ones, one in two parts; a class is not in train.
    """
    tested, choosing = as_names(speakers), as_names(validation)
    _check_speakers(sounds, tested, choosing)
    test = tuple(sound for sound in sounds if sound.speaker in tested)
    chooses = tuple(sound for sound in sounds if sound.speaker in choosing)
    train = tuple(sound for sound in sounds if sound.speaker not in (*tested, *choosing))
    fold = check_fold(Fold(train, chooses, test))
    return fold if choosing else held_back(fold, share, seed)


def _check_speakers(sounds: Sequence[Sound], tested: list[str], choosing: list[str]) -> None:
    nameless = sum(sound.speaker is None for sound in sounds)
    if nameless:
        raise ValueError(
            f"{nameless} of {len(sounds)} sounds have no speaker; expected one for each. Name "
            "them, or use `k_folds` or `official`."
        )
    known = sorted({sound.speaker for sound in sounds if sound.speaker is not None})
    unknown = [name for name in (*tested, *choosing) if name not in known]
    if unknown or not tested:
        raise ValueError(f"No speakers {unknown or tested}; expected some of {', '.join(known)}.")
    both = [name for name in tested if name in choosing]
    if both:
        raise ValueError(
            f"Speakers {', '.join(both)} test and choose the model; expected one of both. Take "
            "them out of one."
        )


def held_back(fold: Fold, share: float = 0.1, seed: int = 0) -> Fold:
    """Take sounds from train that choose the model instead, at random, of each class its share.

    Args:
        fold: Train and test, and an empty validation.
        share: Part of each class that is taken, above 0 and below 1, rounded; at least one sound,
            and one is left in train.
        seed: Another one gives other sounds.

    Raises:
        ValueError: The share is not between 0 and 1; there is a validation; nothing could be held
            back.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}; expected a number between 0 and 1, such as 0.1.")
    if fold.validation:
        raise ValueError(
            f"{len(fold.validation)} sounds are validation already; expected none. Leave "
            "`held_back` out."
        )
    drawn = _draw(fold.train, lambda _, size: min(size - 1, max(1, round(share * size))), seed)
    if not drawn:
        raise ValueError(
            "Each class has one sound in train; expected one with two or more, to hold one back. "
            "Add sounds."
        )
    kept = tuple(sound for place, sound in enumerate(fold.train) if place not in drawn)
    return replace(fold, train=kept, validation=tuple(fold.train[place] for place in sorted(drawn)))


def few_shot(fold: Fold, shots: int, seed: int) -> Fold:
    """Train on some sounds of each class, drawn at random.

    Args:
        fold: Its validation and test stay as they are.
        shots: Sounds of each class.
        seed: Another one gives other sounds; several show how much depends on the draw.

    Raises:
        ValueError: Fewer than one shot; a class has fewer sounds.
    """
    if shots < 1:
        raise ValueError(f"shots is {shots}; expected 1 or more.")

    def count(label: str, size: int) -> int:
        if size < shots:
            raise ValueError(
                f"Class {label!r} has {size} sounds in train; expected {shots} or more. Use at "
                f"most {size} shots, or add sounds."
            )
        return shots

    drawn = _draw(fold.train, count, seed)
    return replace(fold, train=tuple(fold.train[place] for place in sorted(drawn)))


def _draw(sounds: Sequence[Sound], count: Callable[[str, int], int], seed: int) -> set[int]:
    """Draw places of as many sounds of each class as `count` says of its name and size."""
    places: dict[str, list[int]] = {label: [] for label in classes_of(sounds)}
    for place, sound in enumerate(sounds):
        places[sound.label].append(place)
    random = np.random.default_rng(seed)
    drawn: set[int] = set()
    for label, of_class in places.items():
        drawn.update(random.permutation(of_class)[: count(label, len(of_class))].tolist())
    return drawn
