"""Which prompt goes with an image and its mask."""

from typing import NamedTuple
from zlib import crc32

import numpy as np

from data_prep.masks.manifest import MaskedImage
from tasks.segmentation.config import RANDOM, PromptOptions

LABEL = "{label}"  # stands for the class in a sentence for all
NEVER_DRAWN = "p0"  # the empty prompt


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
    return Prompt(draw_text(row, options.use, options.text, random))


def settle_text(row: MaskedImage, options: PromptOptions) -> str:
    """Return the prompt that an image is measured with: of those that are drawn always the same.

    Raises:
        ValueError: The image has no such prompt.
    """
    random = np.random.default_rng(crc32(row.id.encode()))
    return draw_text(row, options.use, options.text, random)


def draw_text(row: MaskedImage, use: str, text: str, random: np.random.Generator) -> str:
    """Draw one of an image's own prompts.

    Args:
        row: An image with its prompts.
        use: "random" for a key, any but p0 as likely as the others, or a key.
        text: One sentence for all instead, in which "{label}" stands for the class; "" for none.
        random: Draws the key, and then one of its wordings.

    Source:
        VLSM-Adapter's software.

    Raises:
        ValueError: The image has no such prompt.
    """
    if text:
        return text.replace(LABEL, row.label)
    keys = sorted((k for k in row.prompts if k != NEVER_DRAWN and row.prompts[k]), key=_number)
    if use != RANDOM:
        keys = [key for key in row.prompts if key == use and row.prompts[key]]
    if not keys:
        wanted = (
            f"prompts after {NEVER_DRAWN} to draw from" if use == RANDOM else f"prompts {use!r}"
        )
        known = ", ".join(row.prompts) or "none"
        raise ValueError(
            f"{row.id} has no {wanted}; it has {known}. Make some with `mcgurk prepare`, or give "
            f"one sentence for all: text='the {LABEL}', of a training prompts.use=fixed "
            f"prompts.text='the {LABEL}'."
        )
    wordings = row.prompts[keys[int(random.integers(len(keys)))]]
    return wordings[int(random.integers(len(wordings)))]


def _number(key: str) -> tuple[int, str]:
    digits = key.removeprefix("p")
    return (int(digits) if digits.isdecimal() else 0, key)
