"""Which sentence is asked of an image for one of its masks."""

import re
from collections.abc import Sequence
from zlib import crc32

import numpy as np

from data_prep.masks.manifest import MaskedImage
from modalities.spelling import did_you_mean
from tasks.segmentation.evaluation.config import LABEL, RANDOM, SegmentationEvaluationConfig

NEVER_DRAWN = "p0"  # the empty prompt


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
    if config.text:
        return {row.id: config.text.replace(LABEL, row.label) for row in rows}
    _check_key(rows, config.prompts)
    return {row.id: _choose(row, config) for row in rows}


def _choose(row: MaskedImage, config: SegmentationEvaluationConfig) -> str:
    random = np.random.default_rng([config.seed, crc32(row.id.encode())])
    key = config.prompts
    if key == RANDOM:
        keys = [key for key in row.prompts if key != NEVER_DRAWN and row.prompts[key]]
        if not keys:
            raise ValueError(
                f"{row.id} has no prompts to draw from; expected some beside p0. Make them with "
                "`mcgurk prepare`, or give one sentence for all, as text='the {label}'."
            )
        key = keys[random.integers(len(keys))]
    wordings = row.prompts[key]
    return wordings[random.integers(len(wordings))]


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
