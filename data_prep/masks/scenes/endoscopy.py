"""Pictures that look like endoscopy: pink walls with folds, bumps, glints. Drawn by rule."""

import cv2
import numpy as np

from data_prep.masks.scenes.grounds import draw_clouds, smooth_noise
from data_prep.masks.scenes.painting import Piece, soften
from data_prep.masks.scenes.palette import RGB

BUMPS = {"pink": (236, 138, 132), "red": (168, 42, 40), "white": (238, 214, 200)}
WALL = np.array((196, 96, 78), np.float32)
GLINT = np.array((255, 250, 245), np.float32)


def draw_window(size: int, random: np.random.Generator) -> np.ndarray:
    """Return where an endoscope shows anything, as the corners are often black.

    Returns:
        bool [size, size]: all, or a circle, or a square with cut corners.
    """
    line = np.abs(np.linspace(-1, 1, size, dtype=np.float32))
    across, down = line, line[:, None]
    kind = random.random()
    if kind < 0.4:
        return np.ones((size, size), bool)
    if kind < 0.6:
        return np.hypot(across, down) < random.uniform(1, 1.25)
    return across + down < random.uniform(1.45, 1.75)


def paint_endoscopy(
    pieces: list[Piece], window: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Paint the wall of a gut, bumps on it, and the light.

    Args:
        pieces: Things in the order in which they are painted; those with a colour of `BUMPS` are
            bumps of the wall, all others flat and opaque.
        window: bool [size, size], what is not black.
        random: Draws.

    Returns:
        float32 [size, size, 3], RGB in 0 to 255.
    """
    size = len(window)
    picture = _wall(size, random)
    light = random.uniform(0, 2 * np.pi)
    for piece in pieces:
        if piece.colour in BUMPS:
            picture = _raise_bump(picture, piece, light, random)
        else:
            cover = soften(piece.mask, 0.7)
            picture = picture * (1 - cover) + cover * np.array(RGB[piece.colour], np.float32)
    picture *= _falloff(size, random)[..., None]
    for _ in range(int(random.integers(2, 14))):
        _add_glint(picture, pieces, random)
    return picture * soften(window, 0.7)


def _wall(size: int, random: np.random.Generator) -> np.ndarray:
    colour = WALL + random.normal(0, 14, 3).astype(np.float32)
    shade = 0.75 + 0.45 * draw_clouds(size, 3, 8, random)
    shade += 0.1 * (smooth_noise(size, size // 4, size // 4, random) - 0.5)
    if random.random() < 0.7:  # folds around a point, dark on one side
        centre = random.uniform(-0.4, 1.4, 2)
        line = np.arange(size, dtype=np.float32) / size
        away = np.hypot(line - centre[0], line[:, None] - centre[1])
        away += 0.12 * smooth_noise(size, 4, 4, random)
        waves = 0.5 + 0.5 * np.sin(away * random.uniform(7, 22))
        shade -= np.float32(random.uniform(0.1, 0.4)) * waves**3
    return colour * shade[..., None]


def _falloff(size: int, random: np.random.Generator) -> np.ndarray:
    line = np.arange(size, dtype=np.float32) / size
    across, down = random.uniform(0.25, 0.75, 2)
    away = (line - across) ** 2 + (line[:, None] - down) ** 2
    return np.float32(1.1) / (1 + np.float32(random.uniform(0.2, 1.8)) * away)


def _raise_bump(
    picture: np.ndarray, piece: Piece, light: float, random: np.random.Generator
) -> np.ndarray:
    """Tint a patch of the wall, shade it like a dome, and darken the wall around it."""
    radius = np.sqrt(piece.mask.sum() / np.pi)
    cover = soften(piece.mask, random.uniform(0.6, 1.8) * len(picture) / 128)
    dome = cv2.GaussianBlur(cover, (0, 0), max(0.5 * radius, 1))
    slope = np.gradient(dome)
    relief = (np.cos(light) * slope[1] + np.sin(light) * slope[0]) * radius
    strength = random.uniform(0.35, 0.85)
    tint = np.array(BUMPS[piece.colour], np.float32) * (0.55 + 0.6 * dome[..., None])
    inside = picture * (1 - strength) + strength * tint
    inside = inside * (1 + random.uniform(0.3, 1) * relief[..., None])
    around = picture * (1 - random.uniform(0.1, 0.5) * dome[..., None])
    return around * (1 - cover) + cover * inside


def _add_glint(picture: np.ndarray, pieces: list[Piece], random: np.random.Generator) -> None:
    """Add a small reflex of the lamp, on a thing at times; changes the picture."""
    size = len(picture)
    place = random.integers(size, size=2)
    if pieces and random.random() < 0.4:
        spots = np.argwhere(pieces[int(random.integers(len(pieces)))].mask)
        place = spots[int(random.integers(len(spots)))][::-1]
    axes = random.uniform(0.3, 2.6, 2) * size / 128
    reach = int(np.ceil(3 * axes.max())) + 1
    left, top = (max(0, int(edge) - reach) for edge in place)
    region = picture[top : int(place[1]) + reach, left : int(place[0]) + reach]
    across = (np.arange(region.shape[1]) + left - place[0]) / axes[0]
    down = (np.arange(region.shape[0]) + top - place[1]) / axes[1]
    shine = np.exp(-((across**2 + down[:, None] ** 2) ** 2) / 2).astype(np.float32)[..., None]
    region += random.uniform(0.6, 1) * shine * (GLINT - region)
