"""What belongs to a class, from the values of a mask: clean, lossy, in colours, or of many classes.

Masks come as 0 and 1, as 0 and 255, as a JPEG of that, and as pictures of several classes. What
a threshold would make of the last is wrong without a word, so they are told from the others.
"""

from pathlib import Path

import numpy as np

HALF = 128
DARK, LIGHT = 31, 224  # beyond these, values of a lossy mask of 0 and 255 stay but for its edges
FLAT_SHARE = 0.1  # of the values between: a class fills areas with one value, an edge does not
BETWEEN_SHARE = 0.2  # of the picture: more is no edge
SMALL_SIDE = 64  # below, an edge may well be a fifth of the picture
SHOWN = 6


def to_binary(values: np.ndarray, value: int, lossy: bool, path: str | Path) -> np.ndarray:
    """Return where a class is.

    Args:
        values: Of the mask, [height, width] or [height, width, 3]. Of three channels the brightest
            counts.
        value: The class's number in the mask; 0: one class, all that is not black.
        lossy: Whether the format may have changed values.
        path: The file, for messages.

    Returns:
        bool [height, width].

    Raises:
        ValueError: There are values of several classes, and none was asked for; or one was, of a
            file that cannot tell.
    """
    if value:
        return _of_class(values, value, lossy, path)
    grey = values.max(axis=2) if values.ndim == 3 else values
    if grey.dtype == np.bool_:
        return grey
    if not lossy and _is_two_valued(grey):
        return grey != 0
    _refuse_classes(grey, lossy, path)
    return grey >= HALF


def _of_class(values: np.ndarray, value: int, lossy: bool, path: str | Path) -> np.ndarray:
    if lossy:
        raise ValueError(
            f"{path} is lossy, so its values are not those of classes, and {value} was asked for; "
            "expected a lossless format. Save the mask as PNG."
        )
    if values.dtype == np.bool_:
        return values
    if values.ndim == 3:
        if not (values == values[..., :1]).all():
            raise ValueError(
                f"{path} is in colours, and the class of value {value} was asked for; expected "
                "grey, or a palette. Save the mask with one number a class."
            )
        values = values[..., 0]
    return values == value


def _is_two_valued(grey: np.ndarray) -> bool:
    """Return whether there is black and one other value at most."""
    return bool(((grey == 0) | (grey == grey.max())).all())


def _refuse_classes(grey: np.ndarray, lossy: bool, path: str | Path) -> None:
    if lossy and grey.max() <= DARK:  # noise on an empty mask
        return
    if grey.dtype == np.uint8 and grey.max() > DARK and not _has_classes(grey):
        return
    found = np.unique(grey)
    shown = ", ".join(f"{one:g}" for one in found[:SHOWN]) + (", ..." if found.size > SHOWN else "")
    raise ValueError(
        f"{path} is no mask of one class: its values are {shown}; expected 0 and 1, or 0 and 255. "
        "Name the value of the class (--label 2=NAME), or save a mask for each class."
    )


def _has_classes(grey: np.ndarray) -> bool:
    """Return whether values between dark and light are more than edges of one class."""
    between = (grey > DARK) & (grey < LIGHT)
    count = int(between.sum())
    if min(grey.shape) >= SMALL_SIDE and count > BETWEEN_SHARE * grey.size:
        return True
    corner = grey[:-1, :-1]
    flat = between[:-1, :-1] & (corner == grey[1:, :-1]) & (corner == grey[:-1, 1:])
    flat &= corner == grey[1:, 1:]
    return int(flat.sum()) > max(FLAT_SHARE * count, 3)
