"""Sheets of pictures on disk."""

from pathlib import Path

import cv2
import numpy as np

from modalities.whole_file import replace_when_whole

JPEG_QUALITY = 88


def save_sheet(sheet: np.ndarray, path: Path) -> None:
    """Write a sheet, uint8 [height, width, 3] RGB, in the format that the path ends with.

    Raises:
        OSError: The file cannot be written.
    """
    suffix, picture = path.suffix.lower(), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)
    how = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix in (".jpg", ".jpeg") else []
    _, encoded = cv2.imencode(suffix, picture, how)
    with replace_when_whole(path) as partial:
        partial.write_bytes(encoded.tobytes())
