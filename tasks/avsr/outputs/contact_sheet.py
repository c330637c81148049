"""A contact sheet: mouth crops side by side, to see at a glance whether they hold mouths."""

from pathlib import Path

import cv2
import numpy as np

from data_prep.faces import MouthChunk
from modalities.rates import CROP_SIDE, VIDEO_RATE_HZ
from modalities.whole_file import replace_when_whole

SUFFIXES = (".png", ".jpg", ".jpeg")
MOST_TILES = 100
COLUMNS = 10
GAP, CAPTION = 4, 14
PAPER, INK, MISSING = 255, 60, 225


def check_sheet_path(path: Path) -> None:
    """Check the output before the work begins.

    Raises:
        ValueError: Another suffix.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"Cannot write {path}: a contact sheet is {' or '.join(SUFFIXES)}. Rename the output."
        )


class ContactSheet:
    """Keeps at most `MOST_TILES` mouths, evenly spaced over a video of any length."""

    def __init__(self):
        self.tiles: list[tuple[int, np.ndarray | None]] = []  # frame number, crop or no mouth
        self.step = 1

    def add(self, chunk: MouthChunk) -> None:
        """Take the next crops."""
        for offset, (crop, seen) in enumerate(zip(chunk.crops, chunk.mask, strict=True)):
            frame = chunk.start_frame + offset
            if frame % self.step == 0:
                self.tiles.append((frame, crop.copy() if seen else None))
            if len(self.tiles) > MOST_TILES:
                self.tiles = self.tiles[::2]
                self.step *= 2

    def draw(self) -> np.ndarray:
        """Lay out the tiles with their times, grey uint8 [height, width]; blank where no mouth."""
        rows = max(1, -(-len(self.tiles) // COLUMNS))
        high, wide = CROP_SIDE + CAPTION + GAP, CROP_SIDE + GAP
        sheet = np.full((rows * high + GAP, COLUMNS * wide + GAP), PAPER, np.uint8)
        for index, (frame, crop) in enumerate(self.tiles):
            y, x = GAP + index // COLUMNS * high, GAP + index % COLUMNS * wide
            sheet[y : y + CROP_SIDE, x : x + CROP_SIDE] = MISSING if crop is None else crop
            caption = f"{frame / VIDEO_RATE_HZ:.2f} s" + (" no mouth" if crop is None else "")
            at = (x, y + CROP_SIDE + CAPTION - 3)
            cv2.putText(sheet, caption, at, INK, cv2.FontFace("sans"), 11, 500)
        return sheet

    def save(self, path: Path) -> None:
        """Write the sheet; it appears whole or not at all.

        Raises:
            OSError: The file cannot be written.
        """
        _, encoded = cv2.imencode(path.suffix.lower(), self.draw())
        with replace_when_whole(path) as partial:
            partial.write_bytes(encoded.tobytes())
