"""Features of a video's frames, as the VALUE benchmark publishes them."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool1d, pad

NAME = "features"
FRAMES = 64


def load_frames(path: str | Path, tokens: int = FRAMES) -> tuple[Tensor, Tensor]:
    """Read features of frames, brought to a fixed number.

    Args:
        path: .npz with "features", [frames, dim], of any floating type.
        tokens: Fewer frames are followed by zeros; more are pooled, the largest of each stretch.

    Returns:
        float32 [tokens, dim]; and bool [tokens], True where a frame is.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no .npz, damaged, has no features of that shape, or some that are no
            finite numbers.

    Source:
        Sung et al. (2022, arXiv 2112.06825), 64 frames of CLIP features.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; expected features of a video, .npz.")
    values = torch.from_numpy(_read(path).astype(np.float32))
    if not torch.isfinite(values).all():
        raise ValueError(f"{path} has features that are no finite numbers. Extract them anew.")
    frames = len(values)
    if frames > tokens:
        values = adaptive_max_pool1d(values.T[None], tokens)[0].T.contiguous()
    return pad(values, (0, 0, 0, tokens - len(values))), torch.arange(tokens) < frames


def _read(path: Path) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as archive:
            # A lone array, as of a .npy, is no archive.
            names = list(getattr(archive, "files", ()))
            values = archive[NAME] if NAME in names else None
    except Exception as error:  # each way of being damaged has a class of its own
        told = str(error).split("\n")[0].rstrip(".") or type(error).__name__
        raise ValueError(
            f"{path} cannot be read as .npz ({told}); it is damaged or something else: get it anew."
        ) from error
    if values is None:
        raise ValueError(f"{path} has {', '.join(names) or 'nothing'}; expected {NAME!r} in it.")
    if values.ndim != 2 or not values.size or values.dtype.kind != "f":
        raise ValueError(
            f"The features in {path} are {values.dtype} of shape {list(values.shape)}; expected "
            "floats, [frames, dim], with one frame or more."
        )
    return values
