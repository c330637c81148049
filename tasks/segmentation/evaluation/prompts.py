"""Which sentence is asked of an image for one of its masks."""

import re
from collections.abc import Sequence
from zlib import crc32

import numpy as np

from data_prep.masks.manifest import MaskedImage
from modalities.spelling import did_you_mean
from tasks.segmentation.config import RANDOM
from tasks.segmentation.evaluation.config import SegmentationEvaluationConfig
from tasks.segmentation.prompts import draw_text


def choose_prompts(
    rows: Sequence[MaskedImage], config: SegmentationEvaluationConfig
) -> dict[str, str]:
    """Return the sentence of each mask, by its id.

    Args:
        rows: Images with masks.
        config: Names a key, or a sentence, or has them drawn.

    Raises:
        ValueError: A mask has no prompt of that key, or none at all to draw from.
    """
    if not config.text:
        _check_key(rows, config.prompts)
    return {
        row.id: draw_text(
            row,
            config.prompts,
            config.text,
            np.random.default_rng([config.seed, crc32(row.id.encode())]),
        )
        for row in rows
    }


def _check_key(rows: Sequence[MaskedImage], key: str) -> None:
    lacking = [row for row in rows if key != RANDOM and not row.prompts.get(key)]
    if not lacking:
        return
    known = [*sorted({known for row in rows for known in row.prompts}, key=_by_number), RANDOM]
    raise ValueError(
        f"{len(lacking)} of {len(rows)} masks have no prompts {key!r}, as {lacking[0].id}; known: "
        f"{', '.join(known)}.{did_you_mean(key, known)} Or give a sentence for all: text=SENTENCE."
    )


def _by_number(key: str) -> tuple[int, str]:
    digits = re.search(r"\d+", key)
    return int(digits[0]) if digits else -1, key
