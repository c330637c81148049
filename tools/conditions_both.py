"""A base that paints a digit as it is written or as it is spoken, by two words."""

import torch
from torch import Tensor

from tools.conditions_bases import (
    NOTHING,
    Base,
    BaseOptions,
    base_sizes,
    load_or_train,
    train_on,
)
from tools.conditions_pictures import Pictures, draw_digits
from tools.conditions_sounds import draw_sounds
from tools.conditions_training import FOLDER, Lesson

WRITTEN, SPOKEN = 10, 11  # the second word; the first is the digit
OPTIONS = BaseOptions(12, 2, denoiser=base_sizes(tokens=2))
LESSON = Lesson(steps=3000, rate=2e-3, warmup=100)
DRAWN = 4000  # of each kind
SEED = 0


def load_both() -> Base:
    """Return the frozen base, which is trained where there is no file of it.

    Raises:
        FileNotFoundError: There are no spoken digits.
        OSError: It cannot be written.
    """
    return load_or_train(Base, BaseOptions, FOLDER / "bases" / "both.safetensors", train_both)


def train_both(lesson: Lesson = LESSON, drawn: int = DRAWN) -> Base:
    """Train the base.

    Args:
        lesson: How long and how fast.
        drawn: Pictures of each kind.

    Raises:
        FileNotFoundError: There are no spoken digits.
    """
    digits, sounds = draw_digits("train", drawn, SEED), draw_sounds("train", drawn, SEED)
    pictures = Pictures(
        torch.cat([digits.values, sounds.values]),
        torch.cat([add_kind(digits.words, WRITTEN), add_kind(sounds.words, SPOKEN)]),
        torch.cat([digits.attributes, sounds.attributes]),
    )
    return train_on(pictures, OPTIONS, lesson, SEED)[0]


def add_kind(digits: Tensor, kind: int) -> Tensor:
    """Put `WRITTEN` or `SPOKEN` behind digits, int64 [rows, 1] -> [rows, 2]."""
    return torch.cat([digits, torch.full_like(digits, kind)], 1)


def tell_kind(rows: int, kind: int) -> Tensor:
    """Return words that tell the kind and no digit, int64 [rows, 2]."""
    return add_kind(torch.full((rows, 1), NOTHING), kind)
