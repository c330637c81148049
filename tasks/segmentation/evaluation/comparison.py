"""A contact sheet: pictures in lines, and what each of several segmenters finds in columns."""

from collections.abc import Sequence

import numpy as np

from tasks.pictures.lettering import Lettering
from tasks.segmentation.evaluation.outcomes import Case
from tasks.segmentation.evaluation.sheet import (
    GAP,
    INK,
    LINES,
    MARGIN,
    PAPER,
    SIDE,
    SMALL,
    TEXT,
    draw_legend,
    draw_tile,
    shorten,
    tell_score,
)

STEP = round(1.35 * TEXT)  # pixels: from one line of text to the next


def draw_comparison(lines: Sequence[Sequence[Case]], names: Sequence[str]) -> np.ndarray:
    """Draw pictures without marks, and beside them truth and prediction of each segmenter.

    Args:
        lines: Of each mask the cases of all segmenters, in the order of their names; they share
            picture, truth and prompt.
        names: What stands above the columns, a segmenter each.

    Returns:
        uint8 [height, width, 3] RGB.

    Raises:
        ValueError: A line has not as many cases as there are names.
    """
    lettering = Lettering()
    blocks = [_line(cases, names, lettering) for cases in lines]
    top = MARGIN + 2 * TEXT + STEP
    width = 2 * MARGIN + (1 + len(names)) * (SIDE + GAP) - GAP
    sheet = np.full((top + sum(len(block) + GAP for block in blocks), width, 3), PAPER, np.uint8)
    draw_legend(sheet, lettering)
    for column, name in enumerate(names, 1):
        [shown] = shorten(name, lettering, SIDE, 1)
        place = (MARGIN + column * (SIDE + GAP), top - STEP // 2)
        lettering.write(sheet, shown, place, INK, TEXT)
    for block in blocks:
        sheet[top : top + len(block), MARGIN : width - MARGIN] = block
        top += len(block) + GAP
    return sheet


def _line(cases: Sequence[Case], names: Sequence[str], lettering: Lettering) -> np.ndarray:
    """Return a picture over its prompt, and of each case outlines over the score."""
    if len(cases) != len(names):
        raise ValueError(
            f"A line has {len(cases)} cases; expected {len(names)}, one of each of "
            f"{', '.join(names)}."
        )
    prompt = shorten(cases[0].outcome.prompt or "(no prompt)", lettering, SIDE, LINES)
    columns = 1 + len(cases)
    height = SIDE + STEP * max(1, len(prompt)) + 8
    block = np.full((height, columns * (SIDE + GAP) - GAP, 3), PAPER, np.uint8)
    tiles = [draw_tile(case) for case in cases]
    for column, picture in enumerate((tiles[0].plain, *(tile.outlined for tile in tiles))):
        left = column * (SIDE + GAP)
        block[:SIDE, left : left + SIDE] = picture
    for number, text in enumerate(prompt, 1):
        lettering.write(block, text, (0, SIDE + number * STEP), INK, SMALL)
    for column, case in enumerate(cases, 1):
        score = tell_score(case.outcome)
        lettering.write(block, score, (column * (SIDE + GAP), SIDE + STEP), INK, SMALL)
    return block
