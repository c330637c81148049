"""Pictures of written digits: one in the middle, or two side by side, of scikit-learn's digits."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from data_prep.masks.images import to_8_bits
from modalities.extras import import_extra

SIDE = 16  # pixels of a digit, twice what scikit-learn's have
SIZE = (SIDE, 2 * SIDE)  # height and width of a picture
MOST = 2  # digits of a picture
TRAINED = 2 / 3  # of the digits; they are in the order in which people wrote them
BRIGHTEST = 16  # of scikit-learn's values
PARTS = ("train", "test")


@dataclass(frozen=True)
class WrittenDigits:
    """Written digits of one part.

    Attributes:
        values: uint8, [digits, SIDE, SIDE], light on black.
        numbers: Which digit each is, 0 to 9, [digits].
    """

    values: np.ndarray
    numbers: np.ndarray


@cache
def load_written_digits(part: str = "train") -> WrittenDigits:
    """Load scikit-learn's digits, from 8 x 8 to 16 x 16 pixels.

    Args:
        part: "train", the first two thirds, or "test", the rest: other people wrote most of it.

    Raises:
        ValueError: No such part, or scikit-learn is not installed.
    """
    if part not in PARTS:
        raise ValueError(f"No part {part!r} of the digits; known: {', '.join(PARTS)}.")
    table = import_extra("sklearn.datasets", "separation", "pictures of digits").load_digits()
    first = round(TRAINED * len(table.target))
    some = slice(first) if part == "train" else slice(first, None)
    larger = [
        cv2.resize(one / BRIGHTEST, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        for one in table.images[some]
    ]
    values = to_8_bits(np.stack(larger))
    return WrittenDigits(values, table.target[some])


def draw_digits(
    numbers: Sequence[int], digits: WrittenDigits, random: np.random.Generator
) -> np.ndarray:
    """Draw a picture: a single digit stands in the middle, of two the first is on the left.

    Args:
        numbers: One or two, 0 to 9.
        digits: To choose from.
        random: Draws who wrote each.

    Returns:
        uint8, [*SIZE, 3], RGB, of equal colours.

    Raises:
        ValueError: None, more than two, or one that nobody wrote.
    """
    if not 1 <= len(numbers) <= MOST:
        raise ValueError(f"{len(numbers)} digits; expected 1 or {MOST}.")
    picture = np.zeros(SIZE, np.uint8)
    left = (SIZE[1] - SIDE * len(numbers)) // 2
    for place, number in enumerate(numbers):
        written = np.flatnonzero(digits.numbers == number)
        if not len(written):
            raise ValueError(f"No digit {number} is among those written; expected 0 to 9.")
        start = left + SIDE * place
        picture[:, start : start + SIDE] = digits.values[random.choice(written)]
    return np.repeat(picture[..., None], 3, 2)
