"""Which prompt goes with an image and its mask."""

from typing import NamedTuple

import numpy as np

from data_prep.masks.manifest import MaskedImage
from tasks.segmentation.config import FIXED, RANDOM, PromptOptions


class Prompt(NamedTuple):
    """A prompt that was drawn.

    Attributes:
        text: As the model reads it.
        unrelated: Whether it is about something that is not in the image: its mask is empty.
    """

    text: str
    unrelated: bool = False


def draw_prompt(row: MaskedImage, options: PromptOptions, random: np.random.Generator) -> Prompt:
    """Draw a prompt for an image, as it is trained.

    Raises:
        ValueError: The image has no such prompt.
    """
    if options.unrelated and random.random() < options.unrelated:
        texts = options.unrelated_texts
        return Prompt(texts[int(random.integers(len(texts)))], unrelated=True)
    return Prompt(draw_text(row, options, random))


def draw_text(row: MaskedImage, options: PromptOptions, random: np.random.Generator) -> str:
    """Draw one of an image's own prompts.

    Source:
        VLSM-Adapter's software: a key uniformly of those after p0, then of its wordings one.

    Raises:
        ValueError: The image has no such prompt.
    """
    if options.use == FIXED:
        return options.text.replace("{label}", row.label)
    names = sorted((name for name in row.prompts if name != "p0"), key=_number)
    if options.use != RANDOM:
        names = [name for name in row.prompts if name == options.use]
    if not names:
        wanted = "prompt after p0" if options.use == RANDOM else f"prompt {options.use!r}"
        known = ", ".join(row.prompts) or "none"
        raise ValueError(
            f"{row.id} has no {wanted}; it has {known}. Set prompts.use to one of them, or to "
            f"{FIXED!r} with a text."
        )
    wordings = row.prompts[names[int(random.integers(len(names)))]]
    return wordings[int(random.integers(len(wordings)))]


def _number(name: str) -> tuple[int, str]:
    digits = name.removeprefix("p")
    return (int(digits) if digits.isdecimal() else 0, name)
