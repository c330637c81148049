"""Where the anchors of BlazeFace lie, and how its regressors become boxes and keypoints."""

from functools import lru_cache

import torch
from torch import Tensor

# Per range: (stride in pixels, anchors per cell) of each map, in the order of the outputs.
ANCHOR_MAPS = {"short": ((8, 2), (16, 6)), "full": ((4, 1),)}


@lru_cache(maxsize=32)
def build_anchors(range_: str, height: int, width: int) -> Tensor:
    """List the anchor centres; all anchors have the size of the whole input.

    Args:
        range_: "short" or "full".
        height: Height of the network's input, pixels.
        width: Width of the network's input, pixels.

    Returns:
        x and y in pixels of the input, [anchors, 2].

    Source:
        MediaPipe, face_detection_short_range.pbtxt and face_detection_full_range.pbtxt (the
        options of SsdAnchorsCalculator, with fixed anchor size).
    """
    maps = []
    for stride, per_cell in ANCHOR_MAPS[range_]:
        rows, columns = torch.meshgrid(
            (torch.arange(height // stride) + 0.5) * stride,
            (torch.arange(width // stride) + 0.5) * stride,
            indexing="ij",
        )
        cells = torch.stack((columns, rows), -1).reshape(-1, 2)
        maps.append(cells.repeat_interleave(per_cell, 0))
    return torch.cat(maps)


def decode_points(regressors: Tensor, anchors: Tensor) -> Tensor:
    """Turn raw regressors into corners and keypoints.

    Args:
        regressors: Raw outputs of the network, [candidates, 16].
        anchors: The anchor of each, [candidates, 2].

    Returns:
        Points in pixels of the input, [candidates, 8, 2]: top left, bottom right, six keypoints.
    """
    points = regressors.reshape(-1, 8, 2).clone()
    half_size = points[:, 1] / 2
    points += anchors[:, None]
    centre = points[:, 0].clone()
    points[:, 0] = centre - half_size
    points[:, 1] = centre + half_size
    return points
