"""Digits that one speaks, or two at once, with pictures of them; some speakers only to measure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from data_prep.mixtures.blending import BlendOptions, blend_chosen
from data_prep.mixtures.digit_pictures import MOST, draw_digits, load_written_digits
from data_prep.mixtures.known import KnownMixture
from data_prep.sounds.labelled import Fold, Sound, as_names
from data_prep.sounds.protocols import held_back, hold_out_speakers

VALIDATION = 0.05  # of the recordings that could train
TWIST = 53  # apart from other uses of a seed


@dataclass(frozen=True)
class Voices:
    """Recordings of digits for the mixtures of a fold.

    Attributes:
        first: Those of which one is in every mixture.
        second: Those of which a mixture of two has its other one.
    """

    first: tuple[Sound, ...]
    second: tuple[Sound, ...]


def part_voices(sounds: Sequence[Sound], speakers: str | Iterable[str]) -> dict[str, Voices]:
    """Part recordings for the folds of mixtures.

    Args:
        sounds: With their speakers and the folds "train" and "test".
        speakers: Held out: one of them is in every mixture that tests, in none else. The other
            voice of those is of a known speaker, in a recording of the fold "test".

    Returns:
        "train", "validation" and "test".

    Raises:
        ValueError: No such speakers, or nothing is left for a fold.
    """
    fold = hold_out_speakers(sounds, as_names(speakers))
    known = (*fold.train, *fold.validation)
    new = tuple(one for one in known if one.fold == "test")
    heard = tuple(one for one in known if one.fold != "test")
    if not new or not heard:
        raise ValueError(
            f"Of the known speakers {len(heard)} recordings train and {len(new)} test; expected "
            "some of each. Give their folds."
        )
    parts = held_back(Fold(heard, (), ()), VALIDATION)
    return {
        "train": Voices(parts.train, parts.train),
        "validation": Voices(parts.validation, parts.validation),
        "test": Voices(fold.test, new),
    }


def speak_digits(voices: Voices, count: int, options: BlendOptions, number: int) -> KnownMixture:
    """Mix digits and draw them; the same arguments, the same mixture to the bit.

    Two are different digits of different speakers, and which of them is louder is drawn; the
    louder is the first source, and on the left of the picture.

    Args:
        voices: To draw from, a digit as often as another.
        count: Digits, 1 or 2.
        options: Levels, length and seed.
        number: Which mixture of its seed.

    Raises:
        FileNotFoundError: A recording is not there.
        ValueError: Another count; there is no second voice; a recording cannot be used.
    """
    if not 1 <= count <= MOST:
        raise ValueError(f"count is {count}; expected 1 or {MOST} digits.")
    random = np.random.default_rng((options.seed, number, TWIST))
    chosen = [_draw(voices.first, random)]
    if count == MOST:
        one = chosen[0]
        apart = [s for s in voices.second if s.speaker != one.speaker and s.label != one.label]
        chosen.append(_draw(apart, random))
        chosen = [chosen[n] for n in random.permutation(MOST)]
    mixture = blend_chosen(chosen, options, random)
    written = load_written_digits("train")
    numbers = [int(label) for label in mixture.labels]
    return replace(mixture, picture=draw_digits(numbers, written, random))


def _draw(sounds: Sequence[Sound], random: np.random.Generator) -> Sound:
    """Draw a digit, and then a recording of it."""
    labels = sorted({sound.label for sound in sounds})
    if not labels:
        raise ValueError("There is no second voice; expected digits of another speaker.")
    label = labels[int(random.integers(len(labels)))]
    of_label = [sound for sound in sounds if sound.label == label]
    return of_label[int(random.integers(len(of_label)))]
