"""A picture sheet of the worst cases: each image, and beside it truth and prediction as outlines.

Truth is a whole line, sky blue, and prediction a dashed one, orange: told apart without seeing red
or green, and in grey. Both have a black edge, so that they are seen on white and on black.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tasks.pictures.lettering import Lettering
from tasks.pictures.outlines import dashes_of, find_contours, stroke
from tasks.pictures.sheets import save_sheet
from tasks.scoring.masks import BOTH, PREDICTED, TRUTH
from tasks.segmentation.evaluation.outcomes import Case, MaskOutcome

WORST = "worst.png"
SIDE = 256  # pixels: the longer side of a picture on the sheet
COLUMNS = 3  # of pairs of pictures
GAP, MARGIN, PAIR_GAP = 28, 24, 6
TEXT, SMALL = 17, 15  # height of letters, pixels
LINES = 3  # of a prompt
PAPER, INK, GREY, BACK = (255, 255, 255), (25, 25, 25), (95, 95, 95), (238, 238, 238)
BLUE, ORANGE = (86, 180, 233), (255, 160, 20)  # RGB
TOLD = {BOTH: "both empty", TRUTH: "truth empty", PREDICTED: "nothing found"}


@dataclass(frozen=True)
class Tile:
    """A case, drawn.

    Attributes:
        outcome: Its score and prompt.
        plain: The image, uint8 [SIDE, SIDE, 3] RGB.
        outlined: The image with both outlines, uint8 [SIDE, SIDE, 3] RGB.
    """

    outcome: MaskOutcome
    plain: np.ndarray
    outlined: np.ndarray


class WorstCases:
    """Keeps the cases with the lowest Dice, and of those the ones that are farthest off, drawn.

    Args:
        most: How many.
    """

    def __init__(self, most: int):
        self.most = most
        self.tiles: list[Tile] = []

    def add(self, case: Case) -> None:
        """Take a case where it is among the worst so far; only a small picture of it is kept."""
        if not self.most:
            return
        if len(self.tiles) == self.most and _rank(case.outcome) >= _rank(self.tiles[-1].outcome):
            return
        self.tiles.append(draw_tile(case))
        self.tiles.sort(key=lambda tile: _rank(tile.outcome))
        del self.tiles[self.most :]

    def save(self, path: Path) -> None:
        """Write the sheet; it appears whole or not at all.

        Raises:
            OSError: The file cannot be written.
        """
        save_sheet(self.draw(), path)

    def draw(self) -> np.ndarray:
        """Lay the tiles out, worst first, uint8 [height, width, 3] RGB."""
        return draw_sheet(self.tiles)


def _rank(outcome: MaskOutcome) -> tuple[float, float, str]:
    return outcome.score.dice, -outcome.score.hd95, outcome.id


def draw_tile(case: Case) -> Tile:
    """Draw a case fitted into a square, grey around it.

    Outlines of large masks are found at their size and brought down as lines, so that specks stay
    seen.
    """
    height, width = case.truth.shape
    scale = SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    usual = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    values = cv2.resize(case.image, size, interpolation=usual)  # [height, width, 3]
    picture = np.round(values.clip(0, 1) * 255).astype(np.uint8)
    left, top = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    plain = np.full((SIDE, SIDE, 3), BACK, np.uint8)
    plain[top : top + size[1], left : left + size[0]] = picture
    outlined = plain.copy()
    corner = np.array([left, top])
    truth, predicted = (_fit(mask, size, corner) for mask in (case.truth, case.predicted))
    for contour in truth:
        stroke(outlined, [contour], BLUE)
    for contour in predicted:
        stroke(outlined, dashes_of(contour), ORANGE)
    return Tile(case.outcome, plain, outlined)


def _fit(mask: np.ndarray, size: tuple[int, int], corner: np.ndarray) -> list[np.ndarray]:
    """Return the outlines of a mask in a picture of another size, moved to where that begins."""
    if mask.shape[1] < size[0] or mask.shape[0] < size[1]:  # a pixel is an area there
        mask = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST_EXACT) > 0
    factors = np.array([size[0] / mask.shape[1], size[1] / mask.shape[0]])
    return [(outline + 0.5) * factors - 0.5 + corner for outline in find_contours(mask)]


def draw_sheet(tiles: list[Tile]) -> np.ndarray:
    """Lay tiles out under a line that says what is what, uint8 [height, width, 3] RGB."""
    lettering = Lettering()
    wide = 2 * SIDE + PAIR_GAP
    columns = max(1, min(COLUMNS, len(tiles)))
    blocks = [_captioned(tile, lettering) for tile in tiles]
    rows = [blocks[start : start + columns] for start in range(0, len(blocks), columns)]
    top = MARGIN + 2 * TEXT
    height = top + sum(max(map(len, row)) + GAP for row in rows)
    sheet = np.full((height, 2 * MARGIN + columns * (wide + GAP) - GAP, 3), PAPER, np.uint8)
    draw_legend(sheet, lettering, "lowest Dice first")
    for row in rows:
        for number, block in enumerate(row):
            left = MARGIN + number * (wide + GAP)
            sheet[top : top + len(block), left : left + wide] = block
        top += max(map(len, row)) + GAP
    return sheet


def draw_legend(sheet: np.ndarray, lettering: Lettering, note: str = "") -> None:
    """Say at the top of a sheet, in place, which line is which, and a note on the order."""
    x, baseline = MARGIN, MARGIN + TEXT - 4
    for name, colour in (("truth", BLUE), ("prediction", ORANGE)):
        line = np.array([[x, baseline - 6], [x + 45, baseline - 6]], float)
        stroke(sheet, [line] if colour == BLUE else dashes_of(line), colour)
        lettering.write(sheet, name, (x + 56, baseline), INK, TEXT)
        x += 56 + lettering.width(name, TEXT) + 32
    if note:
        lettering.write(sheet, note, (x, baseline), GREY, SMALL)


def _captioned(tile: Tile, lettering: Lettering) -> np.ndarray:
    """Return the pair of pictures over score, class and prompt, uint8 [height, width, 3]."""
    wide = 2 * SIDE + PAIR_GAP
    prompt = shorten(tile.outcome.prompt or "(no prompt)", lettering, wide)
    step = round(1.35 * TEXT)
    block = np.full((SIDE + step * (1 + len(prompt)) + 12, wide, 3), PAPER, np.uint8)
    block[:SIDE, :SIDE] = tile.plain
    block[:SIDE, SIDE + PAIR_GAP :] = tile.outlined
    baseline = SIDE + step + 2
    score = tell_score(tile.outcome)
    lettering.write(block, score, (0, baseline), INK, TEXT)
    about = ", ".join(filter(None, (tile.outcome.label, tile.outcome.id)))
    left = lettering.width(score, TEXT) + 18
    [about, *_] = shorten(about, lettering, wide - left, 1) or [""]
    lettering.write(block, about, (left, baseline), GREY, SMALL)
    for number, line in enumerate(prompt, 1):
        lettering.write(block, line, (0, baseline + number * step), INK, SMALL)
    return block


def tell_score(outcome: MaskOutcome) -> str:
    """Return the Dice, and which mask is empty, as "Dice 0 %, nothing found"."""
    told = TOLD.get(outcome.score.empty, "")
    return f"Dice {100 * outcome.score.dice:.0f} %" + (f", {told}" if told else "")


def shorten(text: str, lettering: Lettering, width: int, lines: int = LINES) -> list[str]:
    """Cut a text into lines of a width in pixels; what is too long ends in three dots."""
    return lettering.fit(text, SMALL, width, lines)
