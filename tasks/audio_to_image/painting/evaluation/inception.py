"""Features of pictures that FID and KID are of: Inception, as it was published for them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

SIDE = 299
FILE = "inception-2015-12-05.pt"
AT_ONCE = 16


class Inception:
    """Frozen Inception v3 of 2015, in TorchScript.

    Args:
        path: The file that StyleGAN2-ADA published, and clean-fid reads.
        device: Where it runs.

    Raises:
        FileNotFoundError: It is not there.
        ValueError: It is something else.

    Source:
        Parmar et al. (2022, arXiv 2104.11222), whose resizing is followed.
    """

    def __init__(self, path: str | Path, device: torch.device):
        if not Path(path).is_file():
            raise FileNotFoundError(
                f"There is no {path}; expected Inception in TorchScript, {FILE}, as clean-fid "
                "downloads it."
            )
        try:
            self.layers = torch.jit.load(str(path), map_location=device).eval().layers
        except (RuntimeError, AttributeError) as error:
            raise ValueError(
                f"{path} is not Inception in TorchScript; expected {FILE}. Download it again."
            ) from error
        self.device = device

    @torch.no_grad()
    def __call__(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Return features, [pictures, 2048], of uint8 [height, width, 3] each, any sizes."""
        found = []
        for start in range(0, len(pictures), AT_ONCE):
            some = np.stack([_resize(picture) for picture in pictures[start : start + AT_ONCE]])
            values = torch.from_numpy(some).movedim(-1, 1).to(self.device)
            found.append(self.layers((values - 128) / 128).flatten(1).cpu().numpy())
        return np.concatenate(found)


def _resize(picture: np.ndarray) -> np.ndarray:
    """Resize without rounding, channel by channel, [height, width, 3] -> [299, 299, 3]."""
    channels = [Image.fromarray(picture[..., n].astype(np.float32)) for n in range(3)]
    how = Image.Resampling.BICUBIC
    return np.stack([np.asarray(one.resize((SIDE, SIDE), how)) for one in channels], -1)
