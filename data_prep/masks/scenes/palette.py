"""Colours with names, and which of them can be told from a ground."""

import numpy as np

RGB = {
    "red": (205, 30, 35),
    "green": (35, 155, 55),
    "blue": (35, 70, 210),
    "yellow": (240, 215, 40),
    "orange": (245, 135, 20),
    "purple": (130, 45, 165),
    "pink": (250, 140, 185),
    "brown": (115, 68, 30),
    "cyan": (50, 205, 220),
    "black": (15, 15, 15),
    "grey": (128, 128, 128),
    "white": (245, 245, 245),
}
GREY = {"dark": (26, 26, 26), "grey": (128, 128, 128), "bright": (232, 232, 232)}
SPREAD = 11.0  # of a colour around its name, standard deviation of each channel
CONTRAST = 85.0  # between a thing and its ground: distance in RGB


def choose_names(colours: dict[str, tuple[int, int, int]], tones: np.ndarray) -> list[str]:
    """Return the names of colours that stand out from all tones of a ground.

    Args:
        colours: `RGB` or `GREY`.
        tones: float32 [tones, 3].
    """
    return [
        name
        for name, colour in colours.items()
        if np.linalg.norm(tones - np.array(colour), axis=1).min() > CONTRAST
    ]


def vary(colour: tuple[int, int, int], grey: bool, random: np.random.Generator) -> np.ndarray:
    """Return a colour near a named one: float32 [3].

    Args:
        colour: RGB in 0 to 255.
        grey: Whether its channels stay alike.
        random: Draws.
    """
    shift = random.normal(0, SPREAD, 1 if grey else 3)
    return np.clip(np.array(colour) + shift, 0, 255).astype(np.float32)
