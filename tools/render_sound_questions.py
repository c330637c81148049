"""Make sounds with questions: `python -m tools.render_sound_questions DST --digits FSDD`.

It holds sounds/ and manifest.jsonl: one to four digits of the Free Spoken Digit Dataset one after
the other, and, with `--animals FOLDER...`, a second or two of animals whose names the files say
(or the classes of ESC-50). Its test digits are the recordings of the data set's own test fold; test
sounds of animals are of other recordings than those that train, or of other seconds where an
animal has but one. The data may have licences that bind what is trained on it.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from data_prep.datasets.sounds import esc50
from data_prep.datasets.sounds.fsdd import find_fsdd_sounds
from data_prep.media.audio import read_audio
from data_prep.media.files import SOUNDS, find_files
from data_prep.media.wav import encode_wav
from data_prep.questions.hearing.asking import ask_animal, ask_digits, deaf_scores
from data_prep.questions.hearing.recordings import (
    Parted,
    animal_of,
    crop,
    join,
    part_recordings,
)
from data_prep.questions.manifest import MANIFEST, Question, read_questions, write_questions
from data_prep.workers.resume import check_replaced_manifest
from tasks.cli.progress import progress_bar

MOST = 1_000_000  # sounds of one seed
SAID = 4  # digits of a sound at most
ANIMAL_EVERY = (
    4  # one sound of so many is of an animal, where both are given: they have few seconds
)
FOLDS = (*("train",) * 4, "test")  # in turn

read = lru_cache(maxsize=None)(read_audio)  # minutes of sound in all


@dataclass(frozen=True)
class RenderOptions:
    """What is made.

    Attributes:
        digits: Folder of the Free Spoken Digit Dataset, with recordings/; None for none.
        animals: Folders with sounds of animals.
        count: Sounds, 1 to a million.
        seed: Another number, other sounds.
    """

    digits: Path | None = None
    animals: tuple[Path, ...] = ()
    count: int = 2000
    seed: int = 0

    def __post_init__(self):
        if not 1 <= self.count <= MOST or self.seed < 0:
            raise ValueError(
                f"count is {self.count} and seed {self.seed}; expected 1 to {MOST:,} sounds and a "
                "seed of 0 or more."
            )
        if not self.digits and not self.animals:
            raise ValueError("Neither --digits nor --animals is given; expected one or both.")


@dataclass(frozen=True)
class Material:
    """What sounds are made of.

    Attributes:
        spoken: Recordings by fold and speaker, then by digit.
        animals: Stretches of recordings by animal and fold.
    """

    spoken: dict[str, dict[str, dict[int, list[Path]]]]
    animals: Parted


def main() -> None:
    """Make them, and say how much there is and what is known without hearing."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.render_sound_questions", description=__doc__
    )
    parser.add_argument("folder", type=Path, metavar="DST")
    parser.add_argument("--digits", type=Path, metavar="FOLDER")
    parser.add_argument("--animals", type=Path, metavar="FOLDER", nargs="+", default=())
    parser.add_argument("--count", type=int, default=RenderOptions.count)
    parser.add_argument("--seed", type=int, default=RenderOptions.seed)
    given = vars(parser.parse_args())
    folder = given.pop("folder")
    try:
        options = RenderOptions(**{**given, "animals": tuple(given["animals"])})
        with progress_bar("Making sounds", False, "{:.0f}".format) as show:
            rows = render_folder(folder, options, show)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(summarise(rows, folder))


def summarise(rows: Sequence[Question], folder: Path) -> str:
    """Return a line: how many rows of each fold, and what who hears nothing scores."""
    folds = ", ".join(f"{fold} {n:,}" for fold, n in Counter(row.fold for row in rows).items())
    deaf = ", ".join(f"{kind} {score:.1f}" for kind, score in deaf_scores(rows).items())
    sounds = len({row.images for row in rows})
    return f"{len(rows):,} rows ({folds}) of {sounds:,} sounds in {folder}; deaf: {deaf or 'none'}"


def render_folder(
    folder: Path, options: RenderOptions, progress: Callable[[float, float], None] | None = None
) -> list[Question]:
    """Make all sounds, then write the manifest.

    Args:
        folder: What is in it already of these names is written again.
        options: What is made.
        progress: Called with the sounds done, and all.

    Returns:
        The rows, in the order of the manifest, with paths relative to the folder.

    Raises:
        FileNotFoundError: A folder of recordings is not there.
        ValueError: It has none, a recording cannot be read, or another manifest is there.
        OSError: It cannot be written.
    """
    material = find_material(options)
    check_replaced_manifest(folder / MANIFEST, read_questions)
    (folder / "sounds").mkdir(parents=True, exist_ok=True)
    rows: list[Question] = []
    for number in range(options.count):
        random = np.random.default_rng((options.seed, number))
        path = f"sounds/{number:06d}.wav"
        waveform, made = _make(material, number, path, random)
        (folder / path).write_bytes(encode_wav(waveform))
        rows += made
        if progress:
            progress(number + 1, options.count)
    write_questions(folder / MANIFEST, rows)
    return rows


def find_material(options: RenderOptions) -> Material:
    """Find all recordings.

    Raises:
        FileNotFoundError: A folder is not there.
        ValueError: It has no recordings, or all are of one animal.
    """
    spoken: dict[str, dict[str, dict[int, list[Path]]]] = {"train": {}, "test": {}}
    for sound in find_fsdd_sounds(options.digits) if options.digits else ():
        by_digit = spoken[sound.fold].setdefault(sound.speaker or "", {})
        by_digit.setdefault(int(sound.label), []).append(Path(sound.media))
    if options.digits and not all(spoken.values()):
        raise ValueError(f"{options.digits} lacks recordings of a fold; expected 0 to 49 of each.")
    animals = part_recordings(_find_animals(options.animals))
    if options.animals and len(animals) < 2:
        raise ValueError(
            f"{', '.join(map(str, options.animals))} has sounds of {', '.join(animals) or 'no'} "
            "animal alone; expected two or more whose names the files say, as dog.wav."
        )
    return Material(spoken, animals)


def _find_animals(folders: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"There is no folder {folder}; expected sounds of animals.")
        for path in find_files(folder, SOUNDS):
            named = esc50.NAME.fullmatch(path.stem)
            animal = animal_of(esc50.LABELS[int(named[2])] if named else path.stem)
            if animal:
                yield animal, path


def _make(
    material: Material, number: int, path: str, random: np.random.Generator
) -> tuple[np.ndarray, list[Question]]:
    """Return a sound and what is asked about it."""
    key, fold = f"{number:06d}", FOLDS[number // ANIMAL_EVERY % len(FOLDS)]
    spoken = material.spoken[fold]
    if material.animals and (not spoken or number % ANIMAL_EVERY == 0):
        names = list(material.animals)
        animal = str(random.choice(names))
        stretches = material.animals[animal][fold]
        stretch = stretches[int(random.integers(len(stretches)))]
        waveform = crop(stretch.of(read(stretch.path)), random)
        return waveform, list(ask_animal(key, path, fold, animal, names, random))
    by_digit = spoken[str(random.choice(list(spoken)))]
    digits = random.choice(list(by_digit), int(random.integers(1, SAID + 1))).tolist()
    chosen = [by_digit[digit][int(random.integers(len(by_digit[digit])))] for digit in digits]
    waveform = join([read(one) for one in chosen], random)
    return waveform, list(ask_digits(key, path, fold, digits, random))


if __name__ == "__main__":
    main()
