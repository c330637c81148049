"""Mixtures of labelled recordings at drawn levels, with their sources known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite

import numpy as np

from data_prep.media.audio import read_audio
from data_prep.mixtures.known import KnownMixture
from data_prep.mixtures.manifest import FOLDS
from data_prep.noise.levels import RECIPES, measure_power
from data_prep.noise.mixing import mix_sources
from data_prep.sounds.labelled import Sound, classes_of
from modalities.rates import RATE_HZ

LOUDNESS = (0.05, 0.15)  # root mean square of the loudest source, as its recipe measures it
TRIES = 20  # stretches of a recording that are drawn until something is heard in one
TWIST = 37  # apart from other uses of a seed


@dataclass(frozen=True)
class BlendOptions:
    """What is mixed.

    Attributes:
        fewest: Sources of a mixture at least, 1 or more.
        most: Sources of a mixture at most.
        levels_db: Lowest and highest power of all sources but the first, in decibels relative to
            it; 0 or less.
        duration_s: Length of a mixture in seconds. Longer recordings are cut where it is drawn;
            shorter ones lie in silence where it is drawn.
        recipe: How power is measured, see `data_prep.noise.levels.RECIPES`; "active" leaves out
            silence, so that a short sound is as loud as a long one.
        seed: Another number, other mixtures.
    """

    fewest: int = 2
    most: int = 3
    levels_db: tuple[float, float] = (-6.0, 0.0)
    duration_s: float = 4.0
    recipe: str = "active"
    seed: int = 0

    def __post_init__(self):
        if not 1 <= self.fewest <= self.most:
            raise ValueError(
                f"fewest is {self.fewest} and most {self.most}; expected 1 or more sources, and "
                "not fewer at most than at least."
            )
        low, high = self.levels_db
        if not (isfinite(low) and low <= high <= 0):
            raise ValueError(
                f"levels_db is {low}, {high}; expected the lowest and the highest, in decibels "
                "relative to the loudest source, 0 or less."
            )
        if not 0.1 <= self.duration_s <= 600 or self.seed < 0:
            raise ValueError(
                f"duration_s is {self.duration_s} and seed {self.seed}; expected 0.1 to 600 s and "
                "a seed of 0 or more."
            )
        if self.recipe not in RECIPES:
            raise ValueError(f"No recipe {self.recipe!r}; known: {', '.join(RECIPES)}.")


def blend(
    sounds: Sequence[Sound],
    options: BlendOptions,
    number: int,
    read: Callable[[str], np.ndarray] | None = None,
) -> KnownMixture:
    """Mix sounds of different labels; the same arguments, the same mixture to the bit.

    Args:
        sounds: To draw from, all of one fold: a label as often as another, however many sounds it
            has.
        options: What is mixed.
        number: Which mixture of its seed.
        read: Reads a recording, float32 [samples] at 16 kHz; without, files are read, and the last
            hundred are kept.

    Raises:
        FileNotFoundError: A recording is not there.
        ValueError: There are fewer labels than sources, or a recording is damaged or silent.
    """
    random = np.random.default_rng((options.seed, number, TWIST))
    labels = check_labels(sounds, options)
    count = int(random.integers(options.fewest, options.most + 1))
    chosen = []
    for place in random.choice(len(labels), count, replace=False):
        of_label = [sound for sound in sounds if sound.label == labels[place]]
        chosen.append(of_label[int(random.integers(len(of_label)))])
    return blend_chosen(chosen, options, random, read)


def blend_chosen(
    chosen: Sequence[Sound],
    options: BlendOptions,
    random: np.random.Generator,
    read: Callable[[str], np.ndarray] | None = None,
) -> KnownMixture:
    """Mix sounds that are chosen already.

    Args:
        chosen: One or more of different labels, the loudest first.
        options: Levels, length and how power is measured; how many sounds there are is read off
            `chosen`.
        random: Draws levels, and where sounds lie or are cut.
        read: Reads a recording, see `blend`.

    Raises:
        FileNotFoundError: A recording is not there.
        ValueError: A recording is damaged or silent.
    """
    samples = round(options.duration_s * RATE_HZ)
    parts = [
        _fit(_read_stretch(sound, read or read_kept), samples, sound, random) for sound in chosen
    ]
    levels_db = np.sort(random.uniform(*options.levels_db, len(chosen) - 1))[::-1]
    loudness = random.uniform(*LOUDNESS)
    parts[0] = parts[0] * (loudness / np.sqrt(measure_power(parts[0], options.recipe)))
    levels = (0.0, *np.round(levels_db, 3).tolist())
    waveform, sources = mix_sources(parts, levels, options.recipe)
    return KnownMixture(waveform, tuple(sources), tuple(one.label for one in chosen), levels)


def check_labels(sounds: Sequence[Sound], options: BlendOptions) -> list[str]:
    """Return the labels there are, sorted.

    Raises:
        ValueError: They are fewer than sources of a mixture may be, or a fold is not one of
            `manifest.FOLDS`.
    """
    labels = classes_of(sounds)
    if len(labels) < options.most:
        raise ValueError(
            f"There are sounds of {len(labels)} labels ({', '.join(labels) or 'none'}); expected "
            f"{options.most} or more, as many as sources. Add some, or take fewer sources."
        )
    folds = {sound.fold for sound in sounds} - {*FOLDS, ""}
    if folds:
        raise ValueError(
            f"Sounds have the fold {min(folds)!r}; expected {', '.join(FOLDS)} or none. Say which "
            "of a data set's own folds train and which test."
        )
    return labels


@lru_cache(maxsize=100)
def read_kept(path: str) -> np.ndarray:
    """Read a recording, float32 [samples] at 16 kHz; the last hundred are kept, and not to change.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no sound that can be decoded.
    """
    waveform = read_audio(path)
    waveform.setflags(write=False)
    return waveform


def _read_stretch(sound: Sound, read: Callable[[str], np.ndarray]) -> np.ndarray:
    end = None if sound.end_s is None else round(sound.end_s * RATE_HZ)
    return read(sound.media)[round(sound.start_s * RATE_HZ) : end]


def _fit(
    waveform: np.ndarray, samples: int, sound: Sound, random: np.random.Generator
) -> np.ndarray:
    """Cut a recording, or put it into silence, where it is drawn, so that something is heard."""
    if not np.any(waveform):
        raise ValueError(f"{sound.media} is silent; expected a sound. Leave {sound.id} out.")
    spare = len(waveform) - samples
    if spare <= 0:
        before = int(random.integers(-spare + 1))
        return np.pad(waveform, (before, -spare - before))
    # Silence between calls is no sound: the first that is not far below the loudest is taken.
    tries = [int(start) for start in random.integers(spare + 1, size=TRIES)]
    tries.append(int(np.clip(np.abs(waveform).argmax() - samples // 2, 0, spare)))
    powers = [float(np.square(waveform[start : start + samples]).mean()) for start in tries]
    heard = [start for start, power in zip(tries, powers, strict=True) if power > 0.1 * max(powers)]
    return waveform[heard[0] : heard[0] + samples]
