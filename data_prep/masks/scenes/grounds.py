"""Grounds that shapes stand on: plain, shaded, noisy, striped or checked."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Ground:
    """What things are painted on.

    Attributes:
        picture: float32 [size, size, 3], RGB in 0 to 255.
        tones: float32 [tones, 3], the colours between which the ground lies; what stands on it
            has to differ from all of them.
    """

    picture: np.ndarray
    tones: np.ndarray


def smooth_noise(
    size: int, rows: int, columns: int, random: np.random.Generator, power: float = 1
) -> np.ndarray:
    """Draw clouds: `rows` x `columns` random values in 0 to 1, enlarged smoothly.

    Args:
        size: Edge of the picture in pixels.
        rows: Changes from top to bottom.
        columns: Changes from left to right; few beside many rows make layers.
        random: Draws.
        power: Over 1, bright spots become rare.

    Returns:
        float32 [size, size], about 0 to 1.
    """
    values = random.random((rows, columns), np.float32) ** np.float32(power)
    return cv2.resize(values, (size, size), interpolation=cv2.INTER_CUBIC)


def draw_ground(kind: str, tones: np.ndarray, size: int, random: np.random.Generator) -> Ground:
    """Fill a picture with one tone, or with two in a pattern.

    Args:
        kind: One of `KINDS`.
        tones: float32 [2, 3], RGB in 0 to 255; a plain ground takes the first alone.
        size: Edge of the picture in pixels.
        random: Draws.
    """
    if kind == "plain":
        return Ground(np.tile(tones[0], (size, size, 1)), tones[:1])
    share = PATTERNS[kind](size, random)
    share = np.clip(share, 0, 1)[..., None]
    return Ground(tones[0] + share * (tones[1] - tones[0]), tones)


def _along(size: int, random: np.random.Generator) -> np.ndarray:
    """Distance of each pixel along a direction drawn at random, 0 to about 1."""
    angle = random.uniform(0, 2 * np.pi)
    line = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    return line[:, None] * np.float32(np.sin(angle)) + line * np.float32(np.cos(angle)) + 0.5


def draw_clouds(size: int, fewest: int, most: int, random: np.random.Generator) -> np.ndarray:
    """Draw `smooth_noise` of as many rows and columns as the draw says, below `most`."""
    rows, columns = (int(random.integers(fewest, most)) for _ in range(2))
    return smooth_noise(size, rows, columns, random)


def _clouds(size: int, random: np.random.Generator) -> np.ndarray:
    return draw_clouds(size, 3, 40, random)


def _gradient(size: int, random: np.random.Generator) -> np.ndarray:
    return _along(size, random)


def _stripes(size: int, random: np.random.Generator) -> np.ndarray:
    waves = np.sin(_along(size, random) * random.uniform(25, 90))
    return 0.5 + waves * random.choice([0.5, 4.0])  # soft ones, or with edges


def _checks(size: int, random: np.random.Generator) -> np.ndarray:
    edge = int(random.integers(size // 16, size // 5))
    odd = (np.arange(size) + random.integers(edge)) // edge % 2
    return (odd[:, None] ^ odd).astype(np.float32)


PATTERNS: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    "gradient": _gradient,
    "noise": _clouds,
    "stripes": _stripes,
    "checks": _checks,
}
KINDS = ("plain", *PATTERNS)
