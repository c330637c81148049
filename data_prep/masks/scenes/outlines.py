"""Outlines of the shapes that scenes are made of, all with an area of 1."""

from collections.abc import Callable

import cv2
import numpy as np

Outline = list[np.ndarray]  # float32 [points, 2] each, x and y; the second one is a hole
TURN = 2 * np.pi


def draw_outline(shape: str, random: np.random.Generator) -> Outline:
    """Draw one of `SHAPES`, turned at random, with variations of its kind.

    Args:
        shape: A name of `SHAPES`.
        random: Draws.

    Returns:
        Contours around the origin, which is their centre of mass, that enclose an area of 1.
    """
    contours = [contour.astype(np.float32) for contour in SHAPES[shape](random)]
    angle = random.uniform(0, TURN)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]], np.float32)
    moments = cv2.moments(contours[0])
    centre = np.array([moments["m10"], moments["m01"]], np.float32) / moments["m00"]
    area = moments["m00"] - sum(cv2.contourArea(hole) for hole in contours[1:])
    return [(contour - centre) @ turn / np.float32(np.sqrt(area)) for contour in contours]


def _polar(radius: np.ndarray | float, points: int, start: float = 0) -> np.ndarray:
    angle = start + np.linspace(0, TURN, points, endpoint=False)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _circle(random: np.random.Generator) -> Outline:
    return [_polar(1, 40)]


def _oval(random: np.random.Generator) -> Outline:
    return [_polar(1, 40) * (random.uniform(1.5, 2.2), 1)]


def _square(random: np.random.Generator) -> Outline:
    return [_polar(1, 4)]


def _rectangle(random: np.random.Generator) -> Outline:
    return [_polar(1, 4, TURN / 8) * (random.uniform(1.7, 2.6), 1)]


def _triangle(random: np.random.Generator) -> Outline:
    return [_polar(1, 3) * (random.uniform(0.8, 1.25), 1)]


def _star(random: np.random.Generator) -> Outline:
    points = int(random.integers(5, 7))
    radius = np.where(np.arange(2 * points) % 2, random.uniform(0.38, 0.48), 1)
    return [_polar(radius, 2 * points)]


def _cross(random: np.random.Generator) -> Outline:
    arm = random.uniform(0.26, 0.38)
    corner = np.array([[arm, arm], [arm, 1], [-arm, 1]])
    turns = [np.array([[0, -1], [1, 0]])] * 3
    corners = [corner]
    for turn in turns:
        corners.append(corners[-1] @ turn.T)
    return [np.concatenate(corners)]


def _ring(random: np.random.Generator) -> Outline:
    return [_polar(1, 40), _polar(random.uniform(0.5, 0.68), 40)]


def _crescent(random: np.random.Generator) -> Outline:
    # Two arcs through the same two tips, the inner one flatter.
    height = np.linspace(-1, 1, 24)
    outer = np.sqrt(1 - height**2)
    inner = outer * random.uniform(0.2, 0.5)
    return [np.concatenate([np.stack([outer, height], 1), np.stack([inner, height], 1)[::-1]])]


def _blob(random: np.random.Generator) -> Outline:
    angle = np.linspace(0, TURN, 48, endpoint=False)
    radius = np.ones(48)
    for waves, strength in ((2, 0.24), (3, 0.16), (4, 0.06)):
        radius += random.uniform(-strength, strength) * np.cos(
            waves * angle + random.uniform(0, TURN)
        )
    return [_polar(radius, 48)]


def _irregular(random: np.random.Generator) -> Outline:
    points = int(random.integers(18, 34))
    rough = 1 + random.uniform(-0.28, 0.28, points)
    spikes = random.random(points) < 0.18
    rough = np.where(spikes, rough + random.uniform(0.3, 0.7, points), rough)
    rough = np.repeat(rough, 2)
    rough = (np.roll(rough, 1) + 2 * rough + np.roll(rough, -1)) / 4  # tips are a little round
    rough *= np.linalg.norm(_blob(random)[0], axis=1)[np.arange(2 * points) * 24 // points]
    return [_polar(rough, 2 * points) * (random.uniform(1, 1.5), 1)]


SHAPES: dict[str, Callable[[np.random.Generator], Outline]] = {
    "circle": _circle,
    "oval": _oval,
    "square": _square,
    "rectangle": _rectangle,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "ring": _ring,
    "crescent": _crescent,
    "blob": _blob,
    "irregular": _irregular,
}
