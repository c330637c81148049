"""Written digits, each paired with a recording of the digit that goes with its strokes.

The thicker the strokes, the louder the recording, and the more slanted, the higher the voice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data_prep.datasets.sounds.fsdd import find_fsdd_sounds
from data_prep.media.audio import read_audio
from modalities.audio.attribute_scale import Bounds
from modalities.audio.sound_attributes import measure_attributes
from tools.conditions_pictures import draw_digits
from tools.conditions_training import FOLDER
from tools.digit_lessons import measured_once

SPOKEN = Path(__file__).resolve().parents[1] / "../shared/data/fsdd"
KEPT = FOLDER / "attributes"
EACH = 60  # recordings of a digit that are measured
HELD = (0.4, 0.6)  # shares of an attribute's range that no picture of the training has
LOUDNESS = Bounds("loudness", "LUFS", -45.0, -15.0)


@dataclass(frozen=True, eq=False)
class Told:
    """Pictures, and what their sounds say of them.

    Attributes:
        values: -1 to 1, [rows, 1, height, width].
        words: Which digits, int64, [rows, 1].
        attributes: Those of the pictures, in the order of DIGIT_ATTRIBUTES, [rows, 3].
        places: Where thickness and slant lie among those of the training, 0 to 1, [rows, 2].
        heard: Loudness in LUFS and pitch in Hz, as measured of each picture's sound, [rows, 2].
    """

    values: Tensor
    words: Tensor
    attributes: Tensor
    places: Tensor
    heard: Tensor

    @property
    def held(self) -> Tensor:
        """Which rows have thickness or slant in what was held out, bool, [rows, 2]."""
        return (self.places > HELD[0]) & (self.places < HELD[1])


@cache
def recordings(fold: str) -> dict[int, list[tuple[float, str]]]:
    """Return recordings of each digit that have a pitch, in its order, with it.

    Args:
        fold: "train" or "test", as the Free Spoken Digit Dataset has them.
    """

    def measure() -> list[list[Any]]:
        rows = []
        sounds = [one for one in find_fsdd_sounds(SPOKEN) if one.fold == fold]
        order = np.random.default_rng(0).permutation(len(sounds))
        left = dict.fromkeys("0123456789", EACH)
        for sound in (sounds[n] for n in order):
            if left[sound.label]:
                pitch = measure_attributes(read_audio(sound.media)).pitch
                if pitch is not None:
                    rows.append([int(sound.label), pitch, sound.media])
                    left[sound.label] -= 1
        return rows

    found: dict[int, list[tuple[float, str]]] = {digit: [] for digit in range(10)}
    for digit, pitch, path in measured_once(KEPT / f"recordings_{fold}.json", measure):
        found[digit].append((pitch, path))
    return {digit: sorted(rows) for digit, rows in found.items()}


@cache
def spreads() -> tuple[np.ndarray, np.ndarray]:
    """Return thicknesses and slants of pictures like those of the training, in their order."""
    found = draw_digits("train", 2000, 999).attributes.numpy()
    return np.sort(found[:, 0]), np.sort(found[:, 1])


def place(value: float, spread: np.ndarray) -> float:
    """Return which share of the values of a spread lies below one, 0 to 1."""
    return float(np.searchsorted(spread, value) / len(spread))


def pair(part: str, count: int, seed: int, hold: bool = False) -> Told:
    """Draw pictures, and pair each with a sound that goes with it.

    Args:
        part: "train", "validation" or "test", of the pictures; the sounds are those of the fold
            "test" where that is tested, else of "train".
        count: Pictures.
        seed: Fixes all.
        hold: Whether pictures whose thickness or slant is held out are left out.
    """
    drawn = draw_digits(part, 3 * count if hold else count, seed)
    places = torch.tensor(
        [[place(float(row[n]), spreads()[n]) for n in (0, 1)] for row in drawn.attributes]
    )
    inside = (places > HELD[0]) & (places < HELD[1])
    kept = torch.nonzero(~inside.any(1))[:, 0][:count] if hold else torch.arange(count)
    fold = "test" if part == "test" else "train"
    heard = [
        _hear(int(drawn.words[row, 0]), places[row].tolist(), fold, row == kept[0])
        for row in kept.tolist()
    ]
    some = drawn.take(kept)
    return Told(some.values, some.words, some.attributes, places[kept], torch.tensor(heard))


def _hear(digit: int, places: Sequence[float], fold: str, check: bool) -> tuple[float, float]:
    """Return loudness and pitch of the recording of a digit that goes with a picture."""
    rows = recordings(fold)[digit]
    _, path = rows[min(int(places[1] * len(rows)), len(rows) - 1)]
    sound = read_audio(path)
    wanted = LOUDNESS.value(places[0])
    gain = 10 ** ((wanted - measure_attributes(sound).loudness) / 20)
    found = measure_attributes(np.float32(gain) * sound)
    assert found.pitch is not None and not (check and abs(found.loudness - wanted) > 0.1)
    return found.loudness, found.pitch


def bounds_of(told: Told) -> tuple[Bounds, Bounds]:
    """Return the bounds of loudness and pitch in a training."""
    low, high = told.heard.min(0).values.tolist(), told.heard.max(0).values.tolist()
    return (
        Bounds("loudness", "LUFS", low[0], high[0]),
        Bounds("pitch", "Hz", low[1], high[1], ratio=True),
    )


def scale(heard: Tensor, bounds: Sequence[Bounds]) -> Tensor:
    """Return attributes as an adapter is told them, 0 to 1, [rows, 2]."""
    rows = [[b.share(v) for b, v in zip(bounds, row, strict=True)] for row in heard.tolist()]
    return torch.tensor(rows).clamp(0, 1)
