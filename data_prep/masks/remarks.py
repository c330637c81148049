"""What is worth saying of a mask that can be read, and may yet be wrong."""

import numpy as np

from data_prep.masks.images import ReadImage
from data_prep.masks.manifest import MaskedImage
from data_prep.masks.raster import TURNS, has_orientation

EMPTY = "Masks in which nothing is marked"
WHOLE = "Masks in which all is marked"
TURNED = (
    "Pictures that their EXIF tag turns, beside masks without that tag; look whether these fit the "
    "turned picture"
)
QUARTER_TURNS = range(5, 9)  # of EXIF's numbers, those that exchange height and width


def remarks_on(row: MaskedImage, image: ReadImage, mask: np.ndarray) -> list[str]:
    """Say what is odd about a mask: nothing or all is marked, or it may lie another way up.

    Args:
        row: Names the files.
        image: What was read of its picture.
        mask: What was read of its mask, bool [height, width].

    Returns:
        Some of `EMPTY`, `WHOLE` and `TURNED`.
    """
    found = [] if mask.any() else [EMPTY]
    found += [WHOLE] if mask.all() else []
    return found + ([TURNED] if _may_lie_otherwise(row, image) else [])


def _may_lie_otherwise(row: MaskedImage, image: ReadImage) -> bool:
    """Say whether a mask of the stored picture would fit a turned one as well.

    A mask with a tag of its own is turned, too; one of another size is refused.
    """
    height, width = image.values.shape[:2]
    if image.turn not in TURNS or (image.turn in QUARTER_TURNS and height != width):
        return False
    return not all(has_orientation(path) for path in (row.mask, *row.more_masks))
