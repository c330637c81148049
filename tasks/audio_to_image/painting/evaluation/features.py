"""What pictures are compared by, gathered while they are painted, so that few are kept."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch

from modalities.tensor_file import read_tensors
from tasks.audio_to_image.painting.evaluation.config import PaintingEvaluationConfig

Look = Callable[[Sequence[np.ndarray]], np.ndarray]
INCEPTION, SQUEEZED, CLIP, PIXELS = "inception", "squeezed", "clip", "pixels"
SHRUNK = 32  # side to which pictures are brought whose pixels are compared


class Features:
    """Features of painted and of true pictures, by the name of what made them.

    Args:
        looks: Return features, [pictures, dim], of uint8 pictures.
    """

    def __init__(self, looks: dict[str, Look]):
        self.looks = looks
        self._painted: dict[str, list[np.ndarray]] = {name: [] for name in looks}
        self._true: dict[str, list[np.ndarray]] = {name: [] for name in looks}

    def add(self, painted: Sequence[np.ndarray], true: Sequence[np.ndarray]) -> None:
        """Look at pictures, uint8 [height, width, 3] each, painted and true ones in one order."""
        for name, look in self.looks.items():
            self._painted[name].append(look(painted))
            self._true[name].append(look(true))

    def pair(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return features of all painted and all true pictures, [pictures, dim] each."""
        return np.concatenate(self._painted[name]), np.concatenate(self._true[name])


def open_features(config: PaintingEvaluationConfig, device: torch.device) -> Features:
    """Load what pictures are compared by.

    Args:
        config: Names the models.
        device: Where they run.

    Raises:
        FileNotFoundError: A model is not there.
        ValueError: A model is damaged, or something else.
    """
    looks: dict[str, Look] = {PIXELS: shrink}
    if config.inception:
        from tasks.audio_to_image.painting.evaluation.inception import Inception

        looks[INCEPTION] = Inception(config.inception, device)
    if config.image_text:
        from modalities.vision_language.image_text import load_image_text

        whole = load_image_text(config.image_text, whole=True).to(device)
        cut = load_image_text(config.image_text).to(device)
        looks[SQUEEZED] = lambda pictures: whole.image_features(_floats(pictures)).cpu().numpy()
        looks[CLIP] = lambda pictures: cut.embed_images(_floats(pictures)).cpu().numpy()
    return Features(looks)


def shrink(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Return the pixels of shrunk pictures, 0..1, [pictures, values]."""
    size = (SHRUNK, SHRUNK)
    small = [cv2.resize(one, size, interpolation=cv2.INTER_AREA).ravel() for one in pictures]
    return np.stack(small).astype(np.float32) / 255


def read_sounds(path: str, ids: Sequence[str]) -> np.ndarray:
    """Read vectors of sounds, a vector for each id.

    Args:
        path: A file (.safetensors) with a tensor, [dim], for each.
        ids: Rows that are evaluated.

    Returns:
        [rows, dim].

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or lacks a row.
    """
    found = read_tensors(path, "sounds name a file of vectors", "write it again")
    if lacking := [name for name in ids if name not in found]:
        raise ValueError(
            f"{path} lacks {lacking[0]!r} and {len(lacking) - 1} others; expected a vector for the "
            "id of each row. Embed these sounds, too."
        )
    return np.stack([found[name].float().flatten().numpy() for name in ids])


def _floats(pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [picture.astype(np.float32) / 255 for picture in pictures]
