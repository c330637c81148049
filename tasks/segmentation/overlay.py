"""A picture with what was found in it: outlines and a light fill, above a legend of the prompts.

Nothing else of the picture changes: what is grey stays grey.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from modalities.whole_file import replace_when_whole
from tasks.pictures.lettering import Lettering
from tasks.pictures.outlines import dashes_of, find_contours, stroke
from tasks.segmentation.areas import percent

# Okabe and Ito's, told apart by those who see no red or no green; black is the lines' edge. Blue
# comes first, as there is least of it in bodies.
PALETTE = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (240, 228, 66),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
)
FILL = 0.25  # share of the colour inside of an outline
PAPER, INK, GREY = (255, 255, 255), (25, 25, 25), (95, 95, 95)
LEAST_SIDE = 384  # pixels: the longer side of a picture, enlarged by a whole number
LEAST_TEXT, LEAST_LINE = 16, 2  # heights in pixels
COLUMNS = 24  # the least width, in heights of a letter
LINES = 3  # of a prompt
STEP, GAP = 1.35, 0.3  # from line to line, and more between prompts, in heights of a letter
NOTHING = "nothing found"
BAND = 256  # rows that are filled at once
SUFFIXES = (".png", ".jpg", ".jpeg")


class Entry(NamedTuple):
    """A prompt in the legend.

    Attributes:
        lines: Its text.
        top: Row of the legend that it begins at.
        colour: RGB.
        dashed: Whether its outline is, as the colour is another prompt's too.
    """

    lines: list[str]
    top: int
    colour: tuple[int, int, int]
    dashed: bool


class OverlayPainter:
    """Draws overlays of one size, one after the other, with the same prompts.

    Letters and lines grow with the picture, and are never less than can be read; a small picture
    is enlarged, and a narrow one gets white bars beside it.

    Args:
        width: Columns of the pictures, in pixels, 1 or more.
        height: Rows of the pictures, in pixels, 1 or more.
        prompts: What the legend says, in the order of the masks.
        lettering: Draws the text.
    """

    def __init__(
        self, width: int, height: int, prompts: Sequence[str], lettering: Lettering | None = None
    ):
        self.lettering = lettering or Lettering()
        self.scale = max(1, -(-LEAST_SIDE // max(width, height)))
        self.drawn = (width * self.scale, height * self.scale)
        longest, shortest = max(self.drawn), min(self.drawn)
        self.text = max(LEAST_TEXT, min(longest // 48, shortest // COLUMNS))
        self.line = max(LEAST_LINE, min(round(longest / 400), shortest // 40))
        self.width = _even(max(self.drawn[0], COLUMNS * self.text))
        self.entries = self._lay_out(prompts)
        last = self.entries[-1]
        below = last.top + round(len(last.lines) * STEP * self.text) + self.text // 2
        self.size = (self.width, _even(self.drawn[1] + below))

    def draw(self, picture: np.ndarray, masks: Sequence[np.ndarray]) -> np.ndarray:
        """Draw a picture with masks.

        Args:
            picture: Uint8 [height, width, 3] RGB.
            masks: Bool [height, width], one a prompt.

        Returns:
            Uint8 [height, width, 3] RGB, of `size`, whose sides are even as videos need it.
        """
        large = cv2.resize(picture, self.drawn, interpolation=cv2.INTER_NEAREST)
        sized = [self._enlarge(mask) for mask in masks]
        for mask, entry in zip(sized, self.entries, strict=True):
            _fill(large, mask, entry.colour)
        for mask, entry in zip(sized, self.entries, strict=True):
            for contour in find_contours(mask):
                self._outline(large, contour, entry, self.line)
        canvas = np.full((self.size[1], self.size[0], 3), PAPER, np.uint8)
        left = (self.size[0] - self.drawn[0]) // 2
        canvas[: self.drawn[1], left : left + self.drawn[0]] = large
        legend = np.ascontiguousarray(canvas[self.drawn[1] :])
        for mask, entry in zip(masks, self.entries, strict=True):
            self._write(legend, entry, tell_share(mask))
        canvas[self.drawn[1] :] = legend
        return canvas

    def _lay_out(self, prompts: Sequence[str]) -> list[Entry]:
        """Place prompts below each other, each beside its colour and what there is of it."""
        taken = self._left() + self.text + self._status_width()
        entries: list[Entry] = []
        top = self.text // 2
        for number, prompt in enumerate(prompts):
            lines = self.lettering.fit(prompt, self.text, self.width - taken, LINES) or [""]
            turn, place = divmod(number, len(PALETTE))
            entries.append(Entry(lines, top, PALETTE[place], turn % 2 == 1))
            top += round((len(lines) * STEP + GAP) * self.text)
        return entries

    def _left(self) -> int:
        """Return the column at which prompts begin."""
        return 3 * self.text

    def _status_width(self) -> int:
        """Return the width that is kept for what there is, whatever it says, and a margin."""
        return self.lettering.width(NOTHING, self.text) + self.text

    def _write(self, legend: np.ndarray, entry: Entry, status: str) -> None:
        step, text = round(STEP * self.text), self.text
        box = np.array([[0.6, 0.3], [2.3, 0.3], [2.3, 1.05], [0.6, 1.05], [0.6, 0.3]]) * text
        corners = np.round(box + [0, entry.top]).astype(int)  # of the sample of the colour
        (left, top), (right, bottom) = corners[0], corners[2]
        sample = legend[top:bottom, left:right]
        sample[:] = np.round(np.array(PAPER) * (1 - FILL) + np.array(entry.colour) * FILL)
        self._outline(legend, corners.astype(float), entry, min(self.line, text // 8))
        for number, line in enumerate(entry.lines):
            baseline = entry.top + text + number * step
            self.lettering.write(legend, line, (self._left(), baseline), INK, text)
        right = self.width - self.text // 2 - self.lettering.width(status, text)
        self.lettering.write(legend, status, (right, entry.top + text), GREY, text)

    def _outline(self, canvas: np.ndarray, contour: np.ndarray, entry: Entry, line: int) -> None:
        parts = dashes_of(contour, 3 * line) if entry.dashed else [contour]
        stroke(canvas, parts, entry.colour, line)

    def _enlarge(self, mask: np.ndarray) -> np.ndarray:
        if self.scale == 1:
            return mask
        return mask.repeat(self.scale, 0).repeat(self.scale, 1)


def tell_share(mask: np.ndarray) -> str:
    """Say how much of a picture a mask covers, as "covers 3.4 %"."""
    pixels = np.count_nonzero(mask)
    return f"covers {percent(pixels / mask.size)}" if pixels else NOTHING


def save_picture(path: Path, picture: np.ndarray) -> None:
    """Write a picture; it appears whole or not at all.

    Args:
        path: .png, .jpg or .jpeg.
        picture: Uint8 [height, width, 3] RGB; or grey [height, width], uint8 or, as .png, uint16.

    Raises:
        ValueError: It is too large for this kind of file.
        OSError: The file cannot be written.
    """
    ordered = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    try:
        good, encoded = cv2.imencode(path.suffix.lower(), ordered)
    except cv2.error:
        good, encoded = False, np.zeros(0, np.uint8)
    if not good:
        raise ValueError(
            f"Cannot write {path}: {picture.shape[1]} x {picture.shape[0]} pixels are too many for "
            f"a {path.suffix}. Give a smaller picture, or a .png."
        )
    with replace_when_whole(path) as partial:
        partial.write_bytes(encoded.tobytes())


def _fill(picture: np.ndarray, mask: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Blend a colour into a picture where a mask is, in place."""
    added = np.array(colour, np.float32) * FILL
    for top in range(0, len(mask), BAND):
        rows, inside = picture[top : top + BAND], mask[top : top + BAND]
        rows[inside] = np.round(rows[inside] * np.float32(1 - FILL) + added)


def _even(length: int) -> int:
    return length + length % 2  # H.264 halves its colours
