"""Pictures that look like ultrasound: layers, speckle, dark lumps, shadows. Drawn by rule."""

import cv2
import numpy as np

from data_prep.masks.scenes.grounds import draw_clouds, smooth_noise
from data_prep.masks.scenes.painting import Piece, soften

LEVELS = {"dark": (0.03, 0.42), "bright": (1.9, 3.0)}  # times the tissue's around a lump
DIM = {"dark": 0.4, "bright": 0.2}  # tissue under this would hide the lump
ROUGH = ("irregular",)


def paint_ultrasound(pieces: list[Piece], size: int, random: np.random.Generator) -> np.ndarray:
    """Paint tissue in layers, lumps in it, what lies below them, and speckle.

    Args:
        pieces: Things, "dark" or "bright", in the order in which they are painted.
        size: Edge of the picture in pixels.
        random: Draws.

    Returns:
        float32 [size, size, 3] in 0 to 255, all three channels alike.
    """
    tissue = _layers(size, random)
    blur = random.uniform(0.5, 2.4) * size / 128
    for piece in pieces:
        tissue = _add_lump(tissue, piece, blur, random)
    echo = tissue * _speckle(size, random)
    grey = 255 * np.clip(echo * random.uniform(0.55, 0.85), 0, 1) ** random.uniform(0.7, 1.1)
    return np.repeat(grey[..., None], 3, 2)


def _add_lump(
    tissue: np.ndarray, piece: Piece, blur: float, random: np.random.Generator
) -> np.ndarray:
    cover = soften(piece.mask, blur)[..., 0]
    near = cv2.GaussianBlur(cover, (0, 0), 0.06 * len(cover))
    around = float((tissue * near).sum() / near.sum())
    missing = max(DIM[piece.colour] - around, 0)
    tissue = tissue + np.float32(missing) * np.minimum(2.5 * near, 1)
    tissue = tissue * _below(piece, cover, random)
    level = (around + missing) * random.uniform(*LEVELS[piece.colour])
    inside = level * (1 + 0.6 * (_clouds(len(cover), random) - 0.5))
    return tissue * (1 - cover) + cover * inside


def _clouds(size: int, random: np.random.Generator) -> np.ndarray:
    return draw_clouds(size, 5, 14, random)


def _layers(size: int, random: np.random.Generator) -> np.ndarray:
    """Draw tissue: wavy bands, thin bright sheets, and dark where the sound does not reach."""
    rows = int(random.integers(5, 12))
    bands = smooth_noise(size, rows, int(random.integers(2, 5)), random)
    sheets = smooth_noise(size, 5 * rows, int(random.integers(3, 9)), random, 4)
    tissue = 0.3 + 0.6 * bands + random.uniform(0.2, 1.1) * sheets
    line = np.arange(size, dtype=np.float32)
    waves = smooth_noise(size, 3, int(random.integers(3, 7)), random)
    down = line[:, None] + np.float32(random.uniform(0, 0.25) * size) * (waves - 0.5)
    across = np.broadcast_to(line, (size, size))
    tissue = cv2.remap(tissue, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    tissue += 0.5 * (_clouds(size, random) - 0.5)
    return np.maximum(tissue * _reach(size, random), 0.01)


def _reach(size: int, random: np.random.Generator) -> np.ndarray:
    """How much of the sound comes back, by place: float32 [size, size]."""
    depth = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    middle, fall = random.uniform(0.5, 1.3), random.uniform(6, 14)
    reach = np.repeat(1 / (1 + np.exp(fall * (depth - middle))), size, 1)
    if random.random() < 0.5:  # a poorly coupled side
        shade = smooth_noise(size, 2, int(random.integers(2, 5)), random)
        reach *= np.clip(0.35 + shade, 0, 1)
    if random.random() < 0.6:  # skin
        reach += 0.8 * np.exp(-(((depth - random.uniform(0, 0.06)) / 0.02) ** 2))
    return reach.astype(np.float32)


def _below(piece: Piece, cover: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """How much brighter or darker the tissue under a lump is: float32 [size, size]."""
    behind = np.maximum.accumulate(cover, 0)
    behind = cv2.GaussianBlur(behind, (0, 0), 0.02 * len(cover))
    shadow = piece.shape in ROUGH or piece.colour == "bright"
    gain = random.uniform(-0.65, 0) if shadow else random.uniform(-0.1, 1.1)
    return 1 + np.float32(gain) * behind


def _speckle(size: int, random: np.random.Generator) -> np.ndarray:
    """Draw the grain of interfering echoes, wider than high; its mean is 1."""
    waves = random.standard_normal((size, size, 2), np.float32)
    wide, high = random.uniform(0.6, 1.6) * size / 128, random.uniform(0.4, 0.8) * size / 128
    waves = cv2.GaussianBlur(waves, (0, 0), wide, sigmaY=high)
    grain = np.sqrt((waves**2).sum(-1))
    strength = np.float32(random.uniform(0.12, 0.6))
    return 1 - strength + strength * grain / grain.mean()
