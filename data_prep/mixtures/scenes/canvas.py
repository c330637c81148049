"""A canvas on which shapes are drawn in their own axes, with soft edges."""

from collections.abc import Sequence

import cv2
import numpy as np

FINER = 4  # pixels drawn for each pixel of the picture, along each edge
SUBPIXEL = 4  # bits after the point, as cv2 takes them

Points = np.ndarray | Sequence[Sequence[float] | np.ndarray]  # [points, 2], x and y
Colour = np.ndarray | tuple[int, int, int]  # RGB, 0 to 255


class Canvas:
    """Shapes on a ground.

    Args:
        size: Edge of the picture in pixels.
        ground: Colour of the ground, RGB from 0 to 255.
    """

    def __init__(self, size: int, ground: Colour):
        self._size = size
        self._picture = np.empty((size * FINER, size * FINER, 3), np.uint8)
        self._picture[:] = np.clip(ground, 0, 255)
        self.move_to(np.array([0.5, 0.5]), 0.5, 0.0)

    def move_to(self, centre: np.ndarray, reach: float, turn: float) -> None:
        """Set the axes of what is drawn next.

        Args:
            centre: Where (0, 0) is, x and y in shares of the picture's edge.
            reach: How far 1 reaches, in shares of the picture's edge.
            turn: Radians, clockwise.
        """
        cosine, sine = np.cos(turn), np.sin(turn)
        self._axes = reach * np.array([[cosine, sine], [-sine, cosine]])
        self._centre, self._reach = centre, reach

    def fill(self, outline: Points, colour: Colour) -> None:
        """Fill an outline, [points, 2] in the axes set before."""
        cv2.fillPoly(self._picture, [self._place(outline)], _as_tuple(colour), shift=SUBPIXEL)

    def line(self, points: Points, colour: Colour, width: float) -> None:
        """Draw a line through points, with round ends; its width is in the same unit."""
        thickness = max(1, round(width * self._reach * self._size * FINER))
        cv2.polylines(
            self._picture,
            [self._place(points)],
            False,
            _as_tuple(colour),
            thickness,
            shift=SUBPIXEL,
        )

    def picture(self) -> np.ndarray:
        """Return what was drawn, uint8 [size, size, 3], RGB."""
        size = (self._size, self._size)
        return cv2.resize(self._picture, size, interpolation=cv2.INTER_AREA)

    def _place(self, points: Points) -> np.ndarray:
        placed = np.asarray(points, np.float64) @ self._axes + self._centre
        return np.round((placed * self._size * FINER - 0.5) * (1 << SUBPIXEL)).astype(np.int32)


def disc(
    x: float, y: float, radius: float, squeeze: tuple[float, float] = (1.0, 1.0)
) -> np.ndarray:
    """Return the outline of a disc, or an oval whose axes are squeezed, [points, 2]."""
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    return np.stack([np.cos(turn), np.sin(turn)], 1) * radius * squeeze + (x, y)


def arc(x: float, y: float, radius: float, start: float, end: float) -> np.ndarray:
    """Return points on a circle, [points, 2], from one angle to another in degrees, y down."""
    turn = np.deg2rad(np.linspace(start, end, 32))
    return np.stack([np.cos(turn), np.sin(turn)], 1) * radius + (x, y)


def vary(colour: tuple[int, int, int], random: np.random.Generator) -> np.ndarray:
    """Return a colour a little lighter, darker or of another hue, float [3]."""
    return np.array(colour) * random.uniform(0.85, 1.1) + random.uniform(-14, 14, 3)


def _as_tuple(colour: Colour) -> tuple[int, ...]:
    return tuple(int(value) for value in np.clip(colour, 0, 255))
