"""A picture with things in it, drawn from a seed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from data_prep.masks.scenes.endoscopy import BUMPS, draw_window, paint_endoscopy
from data_prep.masks.scenes.grounds import KINDS, draw_ground
from data_prep.masks.scenes.outlines import SHAPES
from data_prep.masks.scenes.painting import (
    Piece,
    find_visible,
    name_places,
    name_size,
    place_piece,
    soften,
)
from data_prep.masks.scenes.palette import GREY, RGB, choose_names, vary
from data_prep.masks.scenes.ultrasound import LEVELS, paint_ultrasound
from modalities.spelling import did_you_mean

LOOKS = {"colours": 0.42, "greys": 0.1, "ultrasound": 0.28, "endoscopy": 0.2}  # how often
LUMPS = ("circle", "oval", "blob", "irregular")
TUMORS = [*LUMPS, "irregular"]  # half as many irregular ones as regular ones
EMPTY = 0.1  # of the pictures like medical ones: nothing is in them
SHOWN = 0.005  # of the picture: less of a thing is not to be found by anyone
OTHER = ("green", "blue", "yellow", "cyan")  # never those of a wall


@dataclass(frozen=True)
class Thing:
    """One of the things in a picture.

    Attributes:
        mask: bool [size, size], what is seen of it.
        words: The words that fit it, by what they tell: "noun", "shape", "colour", "size",
            "place", "nature". Several may fit: a circle is a "thing" too.
    """

    mask: np.ndarray
    words: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Scene:
    """A drawn picture and all that is in it.

    Attributes:
        image: uint8 [size, size, 3], RGB.
        things: None to four; later ones lie on earlier ones.
        look: A name of `LOOKS`.
        ground: What they stand on: one of `grounds.KINDS`, "tissue" or "wall".
    """

    image: np.ndarray
    things: tuple[Thing, ...]
    look: str
    ground: str


def render_scene(seed: int, size: int = 128, look: str = "") -> Scene:
    """Draw a picture of shapes in colours, in greys, or like ultrasound or endoscopy.

    It is drawn by rule: no picture of a patient was used, and what is called a tumor or a polyp
    in it is a lookalike, there for the word alone. Nothing medical can be measured on it.

    Args:
        seed: Another number, another picture; the same number, the same one to the bit.
        size: Edge in pixels, at least 48.
        look: A name of `LOOKS`; without one it is drawn, too.

    Raises:
        ValueError: The size is too small for what is drawn, or there is no such look.
    """
    if look and look not in LOOKS:
        raise ValueError(f"No look {look!r}; known: {', '.join(LOOKS)}.{did_you_mean(look, LOOKS)}")
    if size < 48:
        raise ValueError(f"Size is {size}; expected 48 pixels or more. Ask for a larger picture.")
    random = np.random.default_rng(seed)
    drawn = str(random.choice(list(LOOKS), p=list(LOOKS.values())))
    look = look or drawn
    if look == "ultrasound":
        return _draw_ultrasound(size, random)
    if look == "endoscopy":
        return _draw_endoscopy(size, random)
    return _draw_shapes(look, size, random)


def _draw_shapes(look: str, size: int, random: np.random.Generator) -> Scene:
    grey = look == "greys"
    colours = GREY if grey else RGB
    kind = str(random.choice(KINDS))
    names: list[str] = []
    tones = np.zeros((2, 3), np.float32)
    while not names:
        channels = random.uniform(0, 255, (2, 1 if grey else 3))
        tones = np.broadcast_to(channels, (2, 3)).astype(np.float32)
        tones = tones if random.random() < 0.5 else tones * 0.35 + 0.65 * tones.mean(0)
        names = choose_names(colours, tones[:1] if kind == "plain" else tones)
    ground = draw_ground(kind, tones, size, random)
    pieces = _place(list(SHAPES), names, int(random.integers(1, 5)), size, random)
    picture, grain = ground.picture, random.choice([0, 0, 3, 8, 14])
    blur = random.choice([0.5, 0.5, 0.8, 1.5])
    for piece in pieces:
        cover = soften(piece.mask, blur)
        picture = picture * (1 - cover) + cover * vary(colours[piece.colour], grey, random)
    if grain:
        noise = random.standard_normal((size, size, 1 if grey else 3), np.float32)
        picture = picture + np.float32(grain) * noise
    return _finish(picture, pieces, np.ones((size, size), bool), look, kind)


def _draw_ultrasound(size: int, random: np.random.Generator) -> Scene:
    count = _count([0.5, 0.3, 0.15, 0.05], random)
    lumps = random.random() < 0.7
    colours = ["dark"] if lumps and random.random() < 0.7 else list(LEVELS)
    pieces = _place(TUMORS if lumps else list(SHAPES), colours, count, size, random)
    picture = paint_ultrasound(pieces, size, random)
    return _finish(picture, pieces, np.ones((size, size), bool), "ultrasound", "tissue")


def _draw_endoscopy(size: int, random: np.random.Generator) -> Scene:
    count = _count([0.6, 0.3, 0.1], random)
    window = draw_window(size, random)
    pieces: list[Piece] = []
    for _ in range(count):
        bump = random.random() < 0.8
        shapes, colours = (LUMPS, tuple(BUMPS)) if bump else (tuple(SHAPES), OTHER)
        pieces = _place(list(shapes), list(colours), 1, size, random, pieces)
    picture = paint_endoscopy(pieces, window, random)
    return _finish(picture, pieces, window, "endoscopy", "wall")


def _count(shares: list[float], random: np.random.Generator) -> int:
    """Draw how many things are in a picture like a medical one: mostly one, at times none."""
    return 0 if random.random() < EMPTY else 1 + int(random.choice(len(shares), p=shares))


def _place(
    shapes: list[str],
    colours: list[str],
    count: int,
    size: int,
    random: np.random.Generator,
    pieces: list[Piece] | None = None,
) -> list[Piece]:
    """Return the pieces and so many more as there was room for."""
    pieces = list(pieces or ())
    for _ in range(count):
        shape, colour = str(random.choice(shapes)), str(random.choice(colours))
        # Two alike ask for a plural.
        if pieces and random.random() < 0.25 and pieces[-1].shape in shapes:
            shape = pieces[-1].shape
        piece = place_piece(shape, colour, pieces, size, random)
        if piece:
            pieces.append(piece)
    return pieces


def _finish(
    picture: np.ndarray, pieces: list[Piece], inside: np.ndarray, look: str, ground: str
) -> Scene:
    image = np.clip(np.round(picture), 0, 255).astype(np.uint8)
    things = tuple(
        Thing(mask, describe(piece, mask, look))
        for piece, mask in zip(pieces, find_visible(pieces, inside), strict=True)
        if mask.mean() >= SHOWN
    )
    return Scene(image, things, look, ground)


def describe(piece: Piece, mask: np.ndarray, look: str) -> dict[str, frozenset[str]]:
    """Return the words that fit a thing.

    Args:
        piece: What was drawn.
        mask: bool [size, size], what is seen of it.
        look: A name of `LOOKS`; a dark lump in ultrasound is a tumor, a bump in endoscopy a polyp.
    """
    shape = piece.shape
    nouns, shapes, nature = {"thing"}, {shape} - {"blob", "irregular"}, set[str]()
    if shape in LUMPS:
        shapes.add("irregular" if shape == "irregular" else "regular")
    nouns.add("blob" if shape in ("blob", "irregular") else shape)
    if look == "ultrasound" and shape in LUMPS and piece.colour == "dark":
        nouns |= {"tumor", "blob"}
        nature.add("malignant" if shape == "irregular" else "benign")
    if look == "endoscopy" and shape in LUMPS and piece.colour in BUMPS:
        nouns |= {"polyp", "blob"}
    return {
        "noun": frozenset(nouns),
        "shape": frozenset(shapes),
        "colour": frozenset({piece.colour}),
        "size": frozenset({name_size(mask)}),
        "place": name_places(mask),
        "nature": frozenset(nature),
    }
