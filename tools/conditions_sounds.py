"""Spoken digits as small grey pictures: log-mels of 0.64 s, low below and high above."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from data_prep.datasets.sounds.fsdd import find_fsdd_sounds
from data_prep.media.audio import read_audio
from modalities.audio.log_mel import LogMel
from modalities.rates import RATE_HZ
from tools.conditions_pictures import SIDE, Pictures, check_part

SPOKEN = Path(__file__).resolve().parents[1] / "../shared/data/fsdd"
WINDOW = round(0.64 * RATE_HZ)
MOVED = round(0.06 * RATE_HZ)  # most silence before a digit
MEL_BINS, HEARD = 80, 56  # of the front end, and below 4 kHz, beyond which FSDD has nothing
RECORDINGS = {"test": range(0, 5), "validation": range(5, 10), "train": range(10, 50)}
ORDER = ("train", "validation", "test")


def draw_sounds(
    part: str, count: int, seed: int, side: int = SIDE, folder: Path = SPOKEN
) -> Pictures:
    """Draw spoken digits of FSDD as pictures, each after a little silence of random length.

    Args:
        part: "train", "validation" or "test", of other recordings by the same six speakers.
        count: How many, drawn with replacement.
        seed: Fixes all.
        side: Height and width in pixels.
        folder: FSDD, see `find_fsdd_sounds`.

    Returns:
        Pictures, -1 to 1, 1 where a sound is loudest; the words are what is said; attributes are 0.

    Raises:
        FileNotFoundError: There is no FSDD.
        ValueError: No such part.
    """
    check_part(part)
    waveforms, labels = _spoken(part, folder)
    random = np.random.default_rng([seed, ORDER.index(part), 12])
    some = random.integers(len(labels), size=count)
    windows = np.zeros((count, WINDOW), np.float32)
    for row, number in enumerate(some):
        start = int(random.integers(MOVED + 1))
        speech = waveforms[number][: WINDOW - start]
        windows[row, start : start + len(speech)] = speech
    words = torch.tensor([labels[number] for number in some])[:, None]
    return Pictures(picture_sounds(torch.from_numpy(windows), side), words, torch.zeros(count, 3))


def picture_sounds(waveforms: Tensor, side: int = SIDE) -> Tensor:
    """Return log-mels of sounds as pictures, -1 to 1, [rows, 1, side, side].

    Args:
        waveforms: [rows, samples], 16 kHz.
        side: Height and width in pixels.
    """
    mel = torch.cat([LogMel(MEL_BINS)(part) for part in waveforms.split(200)])[:, :HEARD]
    mel = functional.interpolate(mel.flip(1)[:, None], size=(side, side), mode="area")
    loudest = mel.amax((1, 2, 3), keepdim=True)
    return (mel - loudest + 1).clamp(-1, 1)  # the front end cuts off what is 2 below the loudest


@cache
def _spoken(part: str, folder: Path) -> tuple[list[np.ndarray], list[int]]:
    """Return the waveforms of a part and what is said."""
    found = [
        sound
        for sound in find_fsdd_sounds(folder)
        if int(Path(sound.media).stem.split("_")[2]) in RECORDINGS[part]
    ]
    return [read_audio(Path(one.media)) for one in found], [int(one.label) for one in found]
