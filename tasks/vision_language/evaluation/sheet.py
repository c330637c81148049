"""A sheet of pictures with questions, what a model answers, and what is right."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from data_prep.masks.images import read_image
from data_prep.questions.manifest import Question
from tasks.pictures.lettering import Lettering

SIDE = 200  # pixels: the longer side of a picture on the sheet
COLUMNS = 4
GAP, MARGIN, PAIR_GAP = 26, 24, 6
TEXT, SMALL = 17, 15  # height of letters, pixels
LINES = 3  # of a question or an answer
PAPER, INK, GREY, BACK = (255, 255, 255), (25, 25, 25), (95, 95, 95), (238, 238, 238)
RIGHT, WRONG = (0, 110, 75), (175, 60, 0)  # RGB, told apart without seeing red or green


@dataclass(frozen=True)
class Shown:
    """A row and what was said to it.

    Attributes:
        row: With absolute paths.
        said: What the model answers.
        score: 0 to 100, CIDEr to 1000; None where it is not known what is right.
    """

    row: Question
    said: str
    score: float | None


def draw_answers(some: Sequence[Shown], columns: int = COLUMNS) -> np.ndarray:
    """Draw rows beside and below each other.

    Args:
        some: One or more, of pictures or pairs of pictures.
        columns: At most.

    Returns:
        uint8 [height, width, 3] RGB.

    Raises:
        OSError: A picture cannot be read.
        ValueError: One is no picture.
    """
    lettering = Lettering()
    blocks = [_block(one, lettering) for one in some]
    columns = min(columns, len(blocks))
    wide = max(block.shape[1] for block in blocks)
    lines = [blocks[start : start + columns] for start in range(0, len(blocks), columns)]
    heights = [max(len(block) for block in line) for line in lines]
    height = MARGIN + sum(heights) + GAP * len(lines)
    sheet = np.full((height, 2 * MARGIN + columns * (wide + GAP) - GAP, 3), PAPER, np.uint8)
    top = MARGIN
    for line, tall in zip(lines, heights, strict=True):
        for number, block in enumerate(line):
            left = MARGIN + number * (wide + GAP)
            sheet[top : top + len(block), left : left + block.shape[1]] = block
        top += tall + GAP
    return sheet


def _block(one: Shown, lettering: Lettering) -> np.ndarray:
    """Return the pictures of a row over its question, the answer and what is right."""
    row, pictures = one.row, [_picture(name) for name in one.row.images]
    wide = len(pictures) * (SIDE + PAIR_GAP) - PAIR_GAP
    right = one.score is not None and one.score >= 100
    colour = GREY if one.score is None else RIGHT if right else WRONG
    mark = "" if one.score is None else "right: " if right else "wrong: "
    if row.task == "caption":
        mark = "" if one.score is None else f"CIDEr {one.score:.0f}: "
        colour = INK
    texts = [(row.text, INK), (f"{mark}{one.said or '(nothing)'}", colour)]
    if not right:
        texts.append((f"expected: {_expected(row)}", GREY))
    lines = [
        (line, of) for text, of in texts if text for line in lettering.fit(text, SMALL, wide, LINES)
    ]
    step = round(1.35 * SMALL)
    block = np.full((SIDE + 10 + step * len(lines), wide, 3), PAPER, np.uint8)
    for number, picture in enumerate(pictures):
        left = number * (SIDE + PAIR_GAP)
        block[:SIDE, left : left + SIDE] = picture
    for number, (line, of) in enumerate(lines, 1):
        lettering.write(block, line, (0, SIDE + 2 + number * step), of, SMALL)
    return block


def _expected(row: Question) -> str:
    if not row.answers:
        return "not known"
    best = max(row.answers.values())
    return " or ".join([text for text, score in row.answers.items() if score == best][:2])


def _picture(path: str) -> np.ndarray:
    """Return a picture fitted into a square, uint8 [SIDE, SIDE, 3], grey around it."""
    values = read_image(path).values
    height, width = values.shape[:2]
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.round(cv2.resize(values, size, interpolation=how).clip(0, 1) * 255)
    square = np.full((SIDE, SIDE, 3), BACK, np.uint8)
    left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    square[top : top + size[1], left : left + size[0]] = small.astype(np.uint8)
    return square
