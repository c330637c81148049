"""Edges of pictures, found in the same way for what teaches and for what is painted."""

from pathlib import Path

import cv2
import numpy as np

from data_prep.masks.images import read_image
from tasks.audio_to_image.painting.examples import Size, fit_picture

WEAK, STRONG = 100, 200  # thresholds of Canny's detector, as ControlNet and T2I-Adapter have them


def find_edges(picture: np.ndarray) -> np.ndarray:
    """Find edges.

    Args:
        picture: uint8 [height, width, 3].

    Returns:
        float32 [height, width], 1 on edges and 0 elsewhere.

    Source:
        Canny, A Computational Approach to Edge Detection (1986), in OpenCV's form.
    """
    return (cv2.Canny(picture, WEAK, STRONG) > 0).astype(np.float32)


def read_edges(path: str | Path, size: Size) -> tuple[np.ndarray, str]:
    """Read the edges of a picture in a size.

    A picture that is black and white alone is taken for edges as they are: whichever of the two
    there is less of. Of any other they are found after it was brought to the size.

    Args:
        path: A picture of any size; a part from its middle has the wanted shape.
        size: Height and width wanted.

    Returns:
        float32 [height, width], and what was done to the picture, a clause; "" for nothing.

    Raises:
        FileNotFoundError: It is not there.
        ValueError: It cannot be read, or there are no edges in it.
    """
    values = read_image(path).values
    shape = values.shape[:2]
    drawn = bool(np.isin(values, (0.0, 1.0)).all() and np.ptp(values, -1).max() == 0)
    paper = drawn and values.mean() > 0.5
    if drawn:
        edges = _shrink_lines(1 - values if paper else values, size)
    else:
        edges = find_edges(fit_picture(values, size))
    if not edges.any():
        raise ValueError(
            f"{path} has no edges at {size[1]} x {size[0]} pixels; expected a picture in which "
            "something is to be seen."
        )
    done = ["taken for black lines on white paper"] if paper else []
    if shape != size:
        done.append(_tell_resized(shape, size))
    return edges, " and ".join(done)


def _tell_resized(shape: Size, size: Size) -> str:
    """Say how a picture was brought to a size, a clause."""
    cut = "" if shape[0] * size[1] == shape[1] * size[0] else "cut to the middle and "
    return f"{cut}resized from {shape[1]} x {shape[0]} to {size[1]} x {size[0]} pixels"


def _shrink_lines(values: np.ndarray, size: Size) -> np.ndarray:
    """Return lines in a size, so that thin ones do not vanish."""
    height, width = values.shape[:2]
    reach = max(1, round(min(height / size[0], width / size[1])))
    thick = cv2.dilate(values, np.ones((reach, reach), np.uint8))
    return (fit_picture(thick, size)[..., 0] > 127).astype(np.float32)
