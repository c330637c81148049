"""Boxes, mouth crops and subtitles drawn on pictures."""

import cv2
import numpy as np

from modalities.rates import CROP_SIDE

TALKING = (90, 220, 120)
SILENT = (200, 200, 200)
WHITE = (255, 255, 255)
MARGIN = 8


class Painter:
    """Draws on one picture after the other, all of one size.

    Args:
        width: Columns of the pictures, in pixels, before they are enlarged.
        height: Rows of the pictures, in pixels, before they are enlarged.
        scale: How much larger the drawing is than the picture.
    """

    def __init__(self, width: int, height: int, scale: int):
        self.scale = scale
        self.size = (width * scale // 2 * 2, height * scale // 2 * 2)
        self.font = cv2.FontFace("sans")
        self.text_size = max(14, self.size[1] // 24)
        self.canvas = np.zeros((self.size[1], self.size[0], 3), np.uint8)

    def start(self, picture: np.ndarray) -> None:
        """Begin with a picture, uint8 [height, width, 3] RGB."""
        self.canvas = cv2.resize(picture, self.size, interpolation=cv2.INTER_LINEAR)

    def face(self, box: np.ndarray, track: int, score: float | None, chosen: bool) -> None:
        """Draw a face's box, [x, y, width, height] in picture pixels, and what is known of it."""
        x, y, width, height = (round(float(value) * self.scale) for value in box)
        colour = TALKING if chosen else SILENT
        cv2.rectangle(self.canvas, (x, y), (x + width, y + height), colour, 2, cv2.LINE_AA)
        label = f"face {track}" + (" talking" if chosen else "")
        self._label(label if score is None else f"{label} {score:.2f}", x, y - 4, colour)

    def inset(self, crop: np.ndarray) -> None:
        """Show a mouth crop, uint8 [side, side], in the upper right corner."""
        side = max(CROP_SIDE, self.size[1] // 4)
        large = cv2.resize(crop, (side, side), interpolation=cv2.INTER_CUBIC)
        x, y = self.size[0] - side - MARGIN, MARGIN
        self.canvas[y : y + side, x : x + side] = large[..., None]
        cv2.rectangle(self.canvas, (x, y), (x + side, y + side), TALKING, 2, cv2.LINE_AA)

    def subtitle(self, text: str) -> None:
        """Write text at the bottom, in as many lines as it needs."""
        step = round(self.text_size * 1.4)
        lines = self._wrap(text, self.size[0] - 6 * MARGIN)
        for index, line in enumerate(lines):
            baseline = self.size[1] - 2 * MARGIN - step * (len(lines) - 1 - index)
            width = self._width(line)
            x = (self.size[0] - width) // 2
            self._shade(x - MARGIN, baseline - self.text_size - 3, width + 2 * MARGIN, step)
            self._write(line, x, baseline, WHITE)

    def _wrap(self, text: str, width: int) -> list[str]:
        lines = [""]
        for word in text.split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and self._width(longer) > width:
                lines.append(word)
            else:
                lines[-1] = longer
        return lines

    def _label(self, text: str, x: int, baseline: int, colour: tuple[int, int, int]) -> None:
        width = self._width(text)
        x = min(max(0, x), self.size[0] - width)
        baseline = max(self.text_size + 2, baseline)
        self._shade(x, baseline - self.text_size, width, self.text_size + 4)
        self._write(text, x, baseline, colour)

    def _shade(self, x: int, y: int, width: int, height: int) -> None:
        left, top = max(0, x), max(0, y)
        patch = self.canvas[top : y + height, left : x + width]
        patch[:] = patch // 3

    def _width(self, text: str) -> int:
        _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), self.font, self.text_size, 500)
        return int(width)

    def _write(self, text: str, x: int, baseline: int, colour: tuple[int, int, int]) -> None:
        cv2.putText(self.canvas, text, (x, baseline), colour, self.font, self.text_size, 500)
