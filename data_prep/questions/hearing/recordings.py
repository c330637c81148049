"""Recordings as material: cut out, joined, and parted into what trains and what tests."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modalities.rates import RATE_HZ

# Words in the names of files, by the animal that an answer says.
ANIMALS: dict[str, tuple[str, ...]] = {
    "bird": ("bird", "birds", "robin"),
    "cat": ("cat",),
    "cow": ("cow",),
    "crow": ("crow",),
    "dog": ("dog",),
    "frog": ("frog",),
    "hen": ("hen", "hens"),
    "pig": ("pig",),
    "sheep": ("sheep",),
    "whale": ("whale", "humpback"),
}
TRAINED = 0.7  # share of a recording's seconds that trains, where an animal has but one
CROP_S = (1.0, 2.0)
PAUSE_S = (0.1, 0.3)
PEAK = 0.5
TRIES = 10  # crops that are drawn, of which the loudest is taken: animals are silent between calls
SILENT = 1e-3  # of the peak; ESC-50 fills what is shorter than 5 s with silence


def animal_of(name: str) -> str:
    """Return the animal that a file's name, or a class, tells; "" where it tells none."""
    words = set(re.findall("[a-z]+", name.lower()))
    return next((animal for animal, names in ANIMALS.items() if words.intersection(names)), "")


@dataclass(frozen=True)
class Stretch:
    """Part of a recording.

    Attributes:
        path: The recording.
        start: Where it begins, as a share of the whole.
        end: Where it ends, likewise; what follows belongs to another.
    """

    path: Path
    start: float = 0.0
    end: float = 1.0

    def of(self, waveform: np.ndarray) -> np.ndarray:
        """Return this part of a recording's samples, without silence at the recording's ends.

        Raises:
            ValueError: Nothing is heard in the recording.
        """
        heard = without_silent_ends(waveform)
        part = heard[round(self.start * len(heard)) : round(self.end * len(heard))]
        if not len(part):
            raise ValueError(f"{self.path} is silent; expected a sound. Take it out of its folder.")
        return part


Parted = dict[str, dict[str, list[Stretch]]]  # by animal, then by "train" and "test"


def part_recordings(found: Iterable[tuple[str, Path]]) -> Parted:
    """Part recordings of animals into what trains and what tests.

    The last recording of an animal tests, and the others train. Of a single one the first seconds
    train and the last ones test: that tells it from others, and says nothing about its kind.

    Args:
        found: Animals with a recording of each, in any order of animals.
    """
    by_animal: dict[str, list[Path]] = defaultdict(list)
    for animal, path in found:
        by_animal[animal].append(path)
    parted: Parted = {}
    for animal, paths in sorted(by_animal.items()):
        *earlier, last = paths
        if earlier:
            parted[animal] = {"train": [*map(Stretch, earlier)], "test": [Stretch(last)]}
        else:
            halves = Stretch(last, 0.0, TRAINED), Stretch(last, TRAINED, 1.0)
            parted[animal] = {"train": [halves[0]], "test": [halves[1]]}
    return parted


def crop(waveform: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Cut a second or two out of a recording where it is not silent.

    Args:
        waveform: [samples], 16 kHz; what is shorter than the crop is taken whole.
        random: Is drawn from.
    """
    samples = min(round(random.uniform(*CROP_S) * RATE_HZ), len(waveform))
    starts = random.integers(0, len(waveform) - samples + 1, TRIES)
    crops = [waveform[start : start + samples] for start in starts]
    return even_out(max(crops, key=lambda one: float(np.square(one).sum())))


def without_silent_ends(waveform: np.ndarray) -> np.ndarray:
    """Cut off what is silent at both ends; of silence nothing is left."""
    loud = np.flatnonzero(np.abs(waveform) > SILENT * np.abs(waveform).max(initial=0.0))
    return waveform[loud[0] : loud[-1] + 1] if len(loud) else waveform[:0]


def join(waveforms: Sequence[np.ndarray], random: np.random.Generator) -> np.ndarray:
    """Put recordings one after the other, with short pauses before, between and after them."""
    pieces = [_pause(random)]
    for waveform in waveforms:
        pieces += [even_out(waveform), _pause(random)]
    return np.concatenate(pieces)


def even_out(waveform: np.ndarray) -> np.ndarray:
    """Bring a waveform to one peak, so that its level tells nothing; silence stays silent."""
    peak = float(np.abs(waveform).max(initial=0.0))
    return waveform * np.float32(PEAK / peak) if peak else waveform


def _pause(random: np.random.Generator) -> np.ndarray:
    return np.zeros(round(random.uniform(*PAUSE_S) * RATE_HZ), np.float32)
