"""Faces of other clips, which show whether a recogniser looks at all."""

from collections.abc import Sequence

import numpy as np


def exchange_faces(names: Sequence[str], seed: int) -> dict[str, str]:
    """Give each clip the face of another one.

    Args:
        names: Ids of the clips with video.
        seed: Fixes the exchange, for the same names in the same order.

    Returns:
        By clip, whose face it gets; each is given once, none to itself. Empty for one clip.
    """
    if len(names) < 2:
        return {}
    # One step around a circle in random order: nobody is left with their own.
    circle = [names[int(place)] for place in np.random.default_rng(seed).permutation(len(names))]
    return dict(zip(circle, circle[1:] + circle[:1], strict=True))


def fit_face(crops: np.ndarray, mask: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a video to a number of frames, or fill it up with frames that show no mouth.

    Args:
        crops: uint8 [video_frames, 96, 96].
        mask: bool [video_frames].
        frames: How many are wanted.

    Returns:
        Crops, [frames, 96, 96], and mask, [frames].
    """
    missing = max(0, frames - len(crops))
    return (
        np.pad(crops[:frames], ((0, missing), (0, 0), (0, 0))),
        np.pad(mask[:frames], (0, missing)),
    )
