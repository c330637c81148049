"""Sheets of pictures on disk."""

from pathlib import Path

import cv2
import numpy as np

from modalities.whole_file import replace_when_whole

# Of letters on pictures, WebP is as good to look at and half as large; documentation takes it.
QUALITIES = {
    ".jpg": (cv2.IMWRITE_JPEG_QUALITY, 88),
    ".jpeg": (cv2.IMWRITE_JPEG_QUALITY, 88),
    ".webp": (cv2.IMWRITE_WEBP_QUALITY, 80),
}


def save_sheet(sheet: np.ndarray, path: Path) -> None:
    """Write a sheet, uint8 [height, width, 3] RGB, in the format that the path ends with.

    Raises:
        OSError: The file cannot be written.
    """
    suffix, picture = path.suffix.lower(), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(suffix, picture, QUALITIES.get(suffix, ()))
    with replace_when_whole(path) as partial:
        partial.write_bytes(encoded.tobytes())
