"""Text of any script as pictures: shaped, in its own direction, in lines of a given width."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from tasks.pictures.fonts import find_fonts, script_of
from tasks.pictures.line_breaks import split_clusters

EASTERN = "CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "HANGUL SYLLABLE", "BOPOMOFO"
RIGHT_TO_LEFT = ("R", "AL")
FROM_RIGHT = "\u200f"  # a mark, drawn as nothing, that sets a line's direction


class Lettering:
    """Draws lines of text, with matplotlib's shaping and the first font that has the letters.

    Chinese, Japanese and Korean, which need no shaping, fall back on OpenCV's built-in font.

    Args:
        fonts: Font files that are taken before any other.
    """

    def __init__(self, fonts: Sequence[Path] = ()):
        self.named = tuple(fonts)
        self.missing: dict[str, None] = {}  # scripts without a font, in order of appearance
        self.draw = lru_cache(maxsize=256)(self._draw)
        self._prepare = lru_cache(maxsize=256)(self._prepare_anew)

    def wrap(self, text: str, size: int, width: int) -> list[str]:
        """Cut a text into lines, between words, or inside one that is too long for a line.

        Args:
            text: Any, a subtitle say.
            size: How high letters are from line to line, in pixels.
            width: The most pixels that a line may take.

        Returns:
            Lines to hand to `draw`; none for a text of nothing but spaces.
        """
        plain = self._prepare(text)[0]
        start = FROM_RIGHT if _is_right_to_left(plain) else ""
        lines: list[str] = []
        for word in plain.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.width(longer, size) <= width:
                lines[-1] = longer
            else:
                lines += self._split(start + word, size, width, start)
        return lines

    def fit(self, text: str, size: int, width: int, most: int) -> list[str]:
        """Cut a text into lines as `wrap` does; one of too many lines ends in three dots.

        Args:
            text: Any.
            size: How high letters are from line to line, in pixels.
            width: The most pixels that a line may take.
            most: Lines, 1 or more.
        """
        wrapped = self.wrap(text, size, width)
        if len(wrapped) <= most:
            return wrapped
        last = wrapped[most - 1]
        while last and self.width(f"{last}\u2026", size) > width:
            last = last[:-1]
        return [*wrapped[: most - 1], f"{last.rstrip()}\u2026"]

    def width(self, text: str, size: int) -> int:
        """Return how many pixels a line takes."""
        return self.draw(text, size)[0].shape[1]

    def write(
        self,
        canvas: np.ndarray,
        text: str,
        at: tuple[int, int],
        colour: tuple[int, int, int],
        size: int,
    ) -> None:
        """Blend a line into a picture; what lies outside of it is left out.

        Args:
            canvas: Uint8 [height, width, 3], changed in place.
            text: Without line breaks.
            at: Column where the line begins, and row of its baseline.
            colour: In the order of the picture's channels, each 0 to 255.
            size: How high letters are from line to line, in pixels.
        """
        mask, base = self.draw(text, size)  # [height, width]
        left, top = at[0], at[1] - base
        inside = mask[max(0, -top) :, max(0, -left) :]
        patch = canvas[max(0, top) :, max(0, left) :][: inside.shape[0], : inside.shape[1]]
        share = inside[: patch.shape[0], : patch.shape[1], None].astype(np.float32) / 255
        patch[:] = np.round(patch * (1 - share) + np.array(colour, np.float32) * share)

    def _split(self, word: str, size: int, width: int, start: str) -> list[str]:
        parts = [""]
        for cluster in split_clusters(word):
            if parts[-1] not in ("", start) and self.width(parts[-1] + cluster, size) > width:
                parts.append(start)
            parts[-1] += cluster
        return parts

    def _draw(self, text: str, size: int) -> tuple[np.ndarray, int]:
        """Draw one line.

        Args:
            text: Without line breaks.
            size: How high letters are from line to line, in pixels.

        Returns:
            How much of each pixel is covered, uint8 [height, width], and the row of the baseline.
        """
        text, fonts = self._prepare(text)
        if not text:
            return np.zeros((1, 0), np.uint8), 0
        return _draw_shaped(text, size, fonts) if fonts else _draw_plainly(text, size)

    def _prepare_anew(self, text: str) -> tuple[str, tuple[Path, ...]]:
        """Return what can be drawn of a text, and the fonts for it; none for OpenCV's own."""
        text = " ".join(text.split())
        letters = {c for c in text if not c.isspace() and unicodedata.category(c)[0] != "C"}
        fonts, missing = find_fonts(letters, self.named)
        symbols = {c for c in missing if unicodedata.category(c)[0] not in "LMN"}  # as emoji
        scripts = sorted({script_of(c) for c in missing - symbols})
        if scripts and _suits_opencv(letters, missing - symbols):
            return text, ()
        if scripts:
            self.missing |= dict.fromkeys(scripts)
            return f"[text in {' and '.join(scripts)}: no font]", tuple(fonts)
        unseen = symbols | {"\ufe0f", "\ufe0e"}  # the latter choose between forms of an emoji
        seen = "".join(c for c in text if c not in unseen).split()
        # What joined the parts of an emoji may be left of it, and is drawn as nothing.
        return " ".join(word for word in seen if word.strip("\u200d")), tuple(fonts)


def _is_right_to_left(text: str) -> bool:
    """Tell the direction by the first letter that has one, as the Unicode standard does."""
    kinds = map(unicodedata.bidirectional, text)
    return next((kind for kind in kinds if kind in ("L", *RIGHT_TO_LEFT)), "L") in RIGHT_TO_LEFT


def _draw_shaped(text: str, size: int, fonts: Sequence[Path]) -> tuple[np.ndarray, int]:
    from matplotlib.font_manager import get_font

    font = get_font([str(path) for path in fonts])
    font.set_size(size, 72)
    font.set_text(text, 0.0)
    font.draw_glyphs_to_bitmap(antialiased=True)
    mask = np.array(font.get_image())
    return mask, mask.shape[0] - round(font.get_descent() / 64)


def _draw_plainly(text: str, size: int) -> tuple[np.ndarray, int]:
    face = cv2.FontFace("uni")
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), face, size, 500)
    mask = np.zeros((round(1.4 * size), int(width) + 1), np.uint8)
    cv2.putText(mask, text, (0, size), 255, face, size, 500)
    return mask, size


def _suits_opencv(letters: set[str], missing: set[str]) -> bool:
    """Tell whether OpenCV draws all letters right: it neither shapes nor turns, and puts "?"."""
    turned = any(unicodedata.bidirectional(letter) in RIGHT_TO_LEFT for letter in letters)
    marked = any(unicodedata.category(letter).startswith("M") for letter in letters)
    if turned or marked or not all(unicodedata.name(c, "").startswith(EASTERN) for c in missing):
        return False
    unknown = _draw_plainly("\ue000", 16)[0]
    return not any(np.array_equal(_draw_plainly(letter, 16)[0], unknown) for letter in letters)
