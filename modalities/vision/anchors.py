"""Where the anchors of BlazeFace lie, and how its regressors become boxes and keypoints."""

from functools import lru_cache

import numpy as np

from modalities.vision.blazeface_shapes import SHAPES


@lru_cache(maxsize=32)
def build_anchors(range_: str, height: int, width: int) -> np.ndarray:
    """List the anchor centres; all anchors have the size of the whole input.

    Args:
        range_: "short" or "full".
        height: Height of the network's input, pixels.
        width: Width of the network's input, pixels.

    Returns:
        x and y in pixels of the input, float32 [anchors, 2]; not to be written to.
    """
    maps = []
    for stride, per_cell in SHAPES[range_].anchor_maps:
        rows, columns = np.meshgrid(
            (np.arange(height // stride, dtype=np.float32) + 0.5) * stride,
            (np.arange(width // stride, dtype=np.float32) + 0.5) * stride,
            indexing="ij",
        )
        cells = np.stack((columns, rows), -1).reshape(-1, 2)
        maps.append(cells.repeat(per_cell, 0))
    anchors = np.concatenate(maps)
    anchors.setflags(write=False)
    return anchors


def decode_points(regressors: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Turn raw regressors into corners and keypoints.

    Args:
        regressors: Raw outputs of the network, [candidates, 16].
        anchors: The anchor of each, [candidates, 2].

    Returns:
        Points in pixels of the input, [candidates, 8, 2]: top left, bottom right, six keypoints.
    """
    points = regressors.reshape(-1, 8, 2).copy()
    half_size = points[:, 1] / 2
    points += anchors[:, None]
    centre = points[:, 0].copy()
    points[:, 0] = centre - half_size
    points[:, 1] = centre + half_size
    return points
