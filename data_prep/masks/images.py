"""Pictures and masks of any kind in one form, and the two of a row together."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_prep.masks.binary import to_binary
from data_prep.masks.dicom import apply_window, brightness_of, is_dicom, read_dicom, spacing_of
from data_prep.masks.manifest import MaskedImage
from data_prep.masks.metaimage import SUFFIX, read_metaimage
from data_prep.masks.raster import read_raster

# What a folder is searched for; files are told apart by what is in them.
PICTURES = frozenset(
    ".png .jpg .jpeg .jpe .jfif .bmp .tif .tiff .gif .webp .pgm .ppm .pbm .pnm .jp2 .dcm .dicom "
    ".ima .mhd".split()
)
DEEPEST_TWELVE = 4095


@dataclass(frozen=True)
class ReadImage:
    """A picture as models take it.

    Attributes:
        values: float32 [height, width, 3], 0 to 1; grey pictures have three equal channels.
        spacing_mm: Height and width of a pixel, None where the file does not say it.
        note: What was made of it that is not plain, as "the first of 12 pictures"; "" if nothing.
        turn: EXIF's number of how it was stored, 1 to 8; it has been turned upright.
    """

    values: np.ndarray
    spacing_mm: tuple[float, float] | None
    note: str
    turn: int = 1


def read_image(path: str | Path, window: tuple[float, float] | None = None) -> ReadImage:
    """Read a picture with its full depth, upright.

    Args:
        path: PNG, TIFF, JPEG, DICOM, MetaImage (.mhd) and whatever else Pillow reads. Of several
            pictures in a file the first is taken, with a note.
        window: Centre and width of the values to show, for grey pictures of more than 8 bits; None:
            of DICOM the file's own, of others the whole range of their kind of number.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no picture, damaged, or has a range that cannot be known without a window.
    """
    spacing_mm, turn = None, 1
    if is_dicom(path):
        picture = read_dicom(path)
        count, spacing_mm = picture.count, spacing_of(picture.dataset)
        with _named(path):
            shown, note = brightness_of(picture, window)
    elif Path(path).suffix.lower() == SUFFIX:
        meta = read_metaimage(path)
        count, spacing_mm = meta.count, meta.spacing_mm
        shown, note = _scale(meta.values, window, path)
    else:
        raster = read_raster(path)
        count, turn = raster.count, raster.turn
        shown, told = _scale(raster.values, window, path)
        note = "; ".join(filter(None, (raster.note, told)))
    if count > 1:
        note = "; ".join(filter(None, (f"the first of {count} pictures", note)))
    return ReadImage(_three_channels(shown), spacing_mm, note, turn)


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _scale(
    values: np.ndarray, window: tuple[float, float] | None, path: str | Path
) -> tuple[np.ndarray, str]:
    """Return values in 0 to 1, and what there is to say about their range."""
    if values.dtype == np.bool_:
        return values.astype(np.float32), ""
    if values.dtype == np.uint8:
        return values.astype(np.float32) / np.float32(255), ""
    if window is not None and values.ndim == 2:
        with _named(path):
            if not np.isfinite(values).all():
                raise ValueError("It has values that are no finite numbers. Save it without them.")
            return apply_window(values.astype(np.float64), *window).astype(np.float32), ""
    if values.dtype == np.float32:
        return _check_range(values, path), ""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise ValueError(
            f"{path} has values from {low} to {high}; expected 0 to 65535. Give a window, centre "
            "and width, or save it with 16 bits."
        )
    dark = f"its brightest value is {high} of 65535, so it is dark without a window"
    note = dark if 0 < high <= DEEPEST_TWELVE else ""
    return values.astype(np.float32) / np.float32(65535), note


def _check_range(values: np.ndarray, path: str | Path) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if not (0.0 <= low and high <= 1.0):  # also of values that are no numbers
        raise ValueError(
            f"{path} has values from {low:g} to {high:g}; expected 0 to 1. Give a window, centre "
            "and width, or save it as integers."
        )
    return values


def _three_channels(values: np.ndarray) -> np.ndarray:
    if values.ndim == 3:
        return values
    return np.repeat(values[..., None], 3, axis=2)


def read_mask(path: str | Path, value: int = 0) -> np.ndarray:
    """Read where a class is.

    Args:
        path: A picture, also lossy (cut at 128) or in colours, or DICOM.
        value: The value of the class in a mask of several; with a palette, the number in it. 0:
            the mask has one class, and all that is not black belongs to it.

    Returns:
        bool [height, width].

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no picture, or several; or no mask of one class, and no value is given.
    """
    lossy = False
    if is_dicom(path):
        picture = read_dicom(path)
        values, count = picture.stored, picture.count
    elif Path(path).suffix.lower() == SUFFIX:
        meta = read_metaimage(path)
        values, count = meta.values, meta.count
    else:
        raster = read_raster(path, indices=value != 0)
        values, count, lossy = raster.values, raster.count, raster.lossy
    if count > 1:  # which of them is meant cannot be known
        raise ValueError(
            f"The mask {path} holds {count} pictures; expected one. Save each as a file."
        )
    return to_binary(values, value, lossy, path)


def read_pair(row: MaskedImage) -> tuple[ReadImage, np.ndarray]:
    """Read the picture of a row and its mask, bool [height, width] of the same size.

    Args:
        row: Names both files, with absolute paths; the pieces of its mask are joined.

    Returns:
        Both; the picture's spacing is the row's where the row has one.

    Raises:
        FileNotFoundError: A file is not there.
        ValueError: The row has no mask, a file cannot be read, or their sizes differ.
    """
    image = read_image(row.image)
    mask = read_row_mask(row, image.values.shape[:2])
    return replace(image, spacing_mm=row.spacing_mm or image.spacing_mm), mask


def read_row_mask(row: MaskedImage, size: tuple[int, ...]) -> np.ndarray:
    """Read the mask of a row, all pieces of it joined.

    Args:
        row: Names the mask's files, with absolute paths, and the value of the class in them.
        size: Height and width of its picture.

    Returns:
        bool [height, width].

    Raises:
        FileNotFoundError: A file is not there.
        ValueError: The row has no mask, one cannot be read, or its size is not the picture's.
    """
    if not row.mask:
        raise ValueError(f"{row.image} has no mask; expected one. Add it, or leave the row out.")
    mask = np.zeros(size, bool)
    for path in (row.mask, *row.more_masks):
        piece = read_mask(path, row.value)
        if piece.shape != mask.shape:
            raise ValueError(
                f"The mask {path} has {_size(piece)} pixels and its picture {row.image} "
                f"{_size(mask)}; expected the same. Is it the right mask? Make it anew at the "
                "picture's size."
            )
        mask |= piece
    return mask


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]} x {array.shape[0]}"


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """Return brightness of 0 to 1, held there, as uint8 of the same shape."""
    return np.round(255 * values.clip(0, 1)).astype(np.uint8)
