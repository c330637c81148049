"""Boxes, mouth crops and subtitles drawn on pictures of any size."""

import cv2
import numpy as np

from modalities.rates import CROP_SIDE
from tasks.pictures.lettering import Lettering

TALKING = (90, 220, 120)
SILENT = (200, 200, 200)
WHITE = (255, 255, 255)
MARGIN = 8
USUAL_HEIGHT = 480  # smaller pictures are doubled so that subtitles can be read
LEAST_SIDE = 320  # the longer side of a picture, enlarged
LEAST_WIDTH, LEAST_HEIGHT = 240, 180  # of a drawing; there is room for text and the mouth
LEAST_TEXT = 10


class Painter:
    """Draws on one picture after the other, all of one size.

    Small pictures are enlarged, and narrow ones get black bars beside them.

    Args:
        width: Columns of the pictures, in pixels, before they are enlarged; 1 or more.
        height: Rows of the pictures, in pixels, before they are enlarged; 1 or more.
        lettering: Draws the text.
    """

    def __init__(self, width: int, height: int, lettering: Lettering):
        least_scale = 1 if height >= USUAL_HEIGHT else 2
        self.scale = max(least_scale, -(-LEAST_SIDE // max(width, height)))
        self.drawn = (width * self.scale, height * self.scale)
        self.size = (
            _even(max(LEAST_WIDTH, self.drawn[0])),
            _even(max(LEAST_HEIGHT, self.drawn[1])),
        )
        self.corner = ((self.size[0] - self.drawn[0]) // 2, (self.size[1] - self.drawn[1]) // 2)
        self.lettering = lettering
        self.text_size = max(14, min(self.size[1] // 24, self.size[0] // 16))
        self.canvas = np.zeros((self.size[1], self.size[0], 3), np.uint8)

    def start(self, picture: np.ndarray) -> None:
        """Begin with a picture, uint8 [height, width, 3] RGB."""
        (x, y), (width, height) = self.corner, self.drawn
        self.canvas[:] = 0
        enlarged = cv2.resize(picture, self.drawn, interpolation=cv2.INTER_LINEAR)
        self.canvas[y : y + height, x : x + width] = enlarged

    def face(self, box: np.ndarray, track: int, score: float | None, chosen: bool) -> None:
        """Draw a face's box, [x, y, width, height] in picture pixels, and what is known of it."""
        x, y, width, height = (round(float(value) * self.scale) for value in box)
        x, y = x + self.corner[0], y + self.corner[1]
        colour = TALKING if chosen else SILENT
        cv2.rectangle(self.canvas, (x, y), (x + width, y + height), colour, 2, cv2.LINE_AA)
        label = f"face {track}" + (" talking" if chosen else "")
        self._label(label if score is None else f"{label} {score:.2f}", x, y - 4, colour)

    def inset(self, crop: np.ndarray) -> None:
        """Show a mouth crop, uint8 [side, side], in the upper right corner."""
        side = min(max(CROP_SIDE, self.size[1] // 4), self.size[0] // 2)
        large = cv2.resize(crop, (side, side), interpolation=cv2.INTER_CUBIC)
        x, y = self.size[0] - side - MARGIN, MARGIN
        self.canvas[y : y + side, x : x + side] = large[..., None]
        cv2.rectangle(self.canvas, (x, y), (x + side, y + side), TALKING, 2, cv2.LINE_AA)

    def subtitle(self, text: str) -> None:
        """Write text at the bottom, in as many lines as it needs; smaller if it needs too many."""
        size, width = self.text_size, self.size[0] - 6 * MARGIN
        lines = self.lettering.wrap(text, size, width)
        while len(lines) * _step(size) > self.size[1] // 2 and size > LEAST_TEXT:
            size -= 1
            lines = self.lettering.wrap(text, size, width)
        for index, line in enumerate(lines):
            baseline = self.size[1] - 2 * MARGIN - _step(size) * (len(lines) - 1 - index)
            width = self.lettering.width(line, size)
            x = (self.size[0] - width) // 2
            self._shade(x - MARGIN, baseline - size - 3, width + 2 * MARGIN, _step(size))
            self.lettering.write(self.canvas, line, (x, baseline), WHITE, size)

    def _label(self, text: str, x: int, baseline: int, colour: tuple[int, int, int]) -> None:
        width = self.lettering.width(text, self.text_size)
        x = max(0, min(x, self.size[0] - width))
        baseline = min(max(self.text_size + 2, baseline), self.size[1] - 4)
        self._shade(x, baseline - self.text_size, width, self.text_size + 4)
        self.lettering.write(self.canvas, text, (x, baseline), colour, self.text_size)

    def _shade(self, x: int, y: int, width: int, height: int) -> None:
        left, top = max(0, x), max(0, y)
        patch = self.canvas[top : max(0, y + height), left : max(0, x + width)]
        patch[:] = patch // 3


def _even(length: int) -> int:
    return length + length % 2  # H.264 halves its colours


def _step(size: int) -> int:
    return round(size * 1.4)
