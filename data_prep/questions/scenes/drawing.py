"""Pictures of one to five things, drawn like those that the frozen picture encoder knows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from data_prep.masks.scenes.grounds import KINDS, Ground, draw_ground
from data_prep.masks.scenes.outlines import draw_outline
from data_prep.masks.scenes.painting import fill, soften
from data_prep.masks.scenes.palette import RGB, choose_names, vary
from data_prep.questions.scenes.world import AXES, Thing, World, find_world

SMALLEST = 96  # pixels: patterns of small things cannot be told in less
# How often so many things are alike (key) among so many in all: 1, 2, 3 or 4 alike equally often.
CROWDS = {
    1: {1: 0.05, 2: 0.06, 3: 0.06, 4: 0.05, 5: 0.03},
    2: {2: 0.09, 3: 0.08, 4: 0.05, 5: 0.03},
    3: {3: 0.06, 4: 0.1, 5: 0.09},
    4: {4: 0.1, 5: 0.15},
}
ALIKE = ("shape", "colour")  # along which they are
BORROWED = 0.5  # of the second picture's things: like one of the first picture's
AREAS = {"small": (0.013, 0.019), "large": (0.055, 0.085)}  # of the picture
MARGIN = 0.02  # of the edge, around the picture
GAP = 7  # pixels of 160 between things, as a kernel's width
TRIES = 30
CROWDED = 0.93  # smaller by so much where there was no room
TWIST = 31  # apart from other uses of a seed


@dataclass(frozen=True)
class Group:
    """What several things of a picture are made to have in common.

    Attributes:
        axis: One of `ALIKE`.
        value: Theirs, and of no other thing in the picture.
    """

    axis: str
    value: str


@dataclass(frozen=True)
class Scene:
    """What is in a picture.

    Attributes:
        things: One to five, apart from each other.
        group: One to four of them.
    """

    things: tuple[Thing, ...]
    group: Group


@dataclass(frozen=True)
class Picture:
    """A scene and how it looks.

    Attributes:
        image: uint8 [size, size, 3], RGB.
        scene: What is in it, with the places where it was drawn.
    """

    image: np.ndarray
    scene: Scene


def render_picture(seed: int, number: int, look: str, size: int = 160) -> Picture:
    """Draw a picture; the same arguments, the same one to the bit.

    Args:
        seed: Another number, other pictures.
        number: Which of them. Odd ones borrow things from the one before, as statements about two
            pictures need something in common.
        look: "seen" or "unseen".
        size: Edge in pixels, at least 96.

    Raises:
        ValueError: No such look, or too small.
    """
    scene, masks = _arrange(seed, number, look, size)
    random = np.random.default_rng((seed, number, TWIST, 1))
    return Picture(_paint(scene.things, masks, size, random), scene)


def arrange(seed: int, number: int, look: str, size: int = 160) -> Scene:
    """Return what `render_picture` would draw, without drawing it."""
    return _arrange(seed, number, look, size)[0]


def _arrange(seed: int, number: int, look: str, size: int) -> tuple[Scene, list[np.ndarray]]:
    if size < SMALLEST:
        raise ValueError(f"Size is {size}; expected {SMALLEST} pixels or more.")
    scene = _draw_one_of_pair(find_world(look), seed, number)
    random = np.random.default_rng((seed, number, TWIST, 0))
    placed, masks = _place(scene.things, size, random)
    return replace(scene, things=tuple(placed)), masks


def _draw_one_of_pair(world: World, seed: int, number: int) -> Scene:
    first = draw_scene(world, np.random.default_rng((seed, number - number % 2, TWIST)))
    if number % 2 == 0:
        return first
    return draw_scene(world, np.random.default_rng((seed, number, TWIST)), first)


def draw_scene(world: World, random: np.random.Generator, before: Scene | None = None) -> Scene:
    """Draw what is in a picture; colours, shapes and numbers alike are equally frequent.

    Args:
        world: What there is.
        random: Draws.
        before: A picture to have something in common with.
    """
    alike = int(random.integers(1, len(CROWDS) + 1))
    chances = np.array(list(CROWDS[alike].values()))
    total = int(random.choice(list(CROWDS[alike]), p=chances / chances.sum()))
    group = _draw_group(world, random)
    if before and random.random() < BORROWED:
        group = before.group
    others = before.things if before else ()
    things = [_draw_thing(world, group, n < alike, others, random) for n in range(total)]
    return Scene(tuple(things[n] for n in random.permutation(total)), group)


def _draw_group(world: World, random: np.random.Generator) -> Group:
    axis = str(random.choice(ALIKE))
    return Group(axis, str(random.choice(world.values[axis])))


def _draw_thing(
    world: World,
    group: Group,
    within: bool,
    others: Sequence[Thing],
    random: np.random.Generator,
) -> Thing:
    fitting = [one for one in others if (getattr(one, group.axis) == group.value) == within]
    if fitting and random.random() < BORROWED:
        return fitting[int(random.integers(len(fitting)))]
    values = dict(world.values)
    rest = tuple(value for value in values[group.axis] if value != group.value)
    values[group.axis] = (group.value,) if within else rest
    size, pattern, colour, shape = (str(random.choice(values[axis])) for axis in AXES)
    return Thing(size, pattern, colour, shape)


def _place(
    things: Sequence[Thing], size: int, random: np.random.Generator
) -> tuple[list[Thing], list[np.ndarray]]:
    """Find places apart from each other; in crowds things are drawn a little smaller."""
    scale = 1.0
    while True:
        free = np.ones((size, size), bool)
        found = []
        for thing in things:
            place = _find_place(thing, scale, free, random)
            if place is None:
                break
            found.append(place)
        else:
            return [thing for thing, _ in found], [mask for _, mask in found]
        scale *= CROWDED


def _find_place(
    thing: Thing, scale: float, free: np.ndarray, random: np.random.Generator
) -> tuple[Thing, np.ndarray] | None:
    """Return a thing at its place and its mask, and take it from what is free."""
    size = len(free)
    gap = max(3, GAP * size // 160)
    area = random.uniform(*AREAS[thing.size]) * scale
    outline = [contour * np.sqrt(area) for contour in draw_outline(thing.shape, random)]
    lowest, highest = (MARGIN - outline[0].min(0), 1 - MARGIN - outline[0].max(0))
    if (lowest > highest).any():
        return None
    for _ in range(TRIES):
        centre = random.uniform(lowest, highest)
        mask = fill([contour + centre.astype(np.float32) for contour in outline], size)
        if not (mask & ~free).any():
            near = cv2.dilate(mask.astype(np.uint8), np.ones((gap, gap), np.uint8))
            free &= near == 0
            return replace(thing, x=round(float(centre[0]), 4), y=round(float(centre[1]), 4)), mask
    return None


def _paint(
    things: Sequence[Thing], masks: Sequence[np.ndarray], size: int, random: np.random.Generator
) -> np.ndarray:
    picture = _choose_ground([thing.colour for thing in things], size, random).picture
    blur, grain = random.choice([0.5, 0.5, 0.8]), random.choice([0, 0, 3, 8])
    for thing, mask in zip(things, masks, strict=True):
        cover = soften(mask, blur)
        colour = vary(RGB[thing.colour], False, random)
        picture = picture * (1 - cover) + cover * _fill_in(colour, thing, size, random)
    if grain:
        picture = picture + np.float32(grain) * random.standard_normal((size, size, 3), np.float32)
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def _choose_ground(colours: Sequence[str], size: int, random: np.random.Generator) -> Ground:
    """Draw a ground that all colours stand out from, so that none is rarer than others."""
    wanted = {name: RGB[name] for name in colours}
    tries = [_draw_tones(random) for _ in range(TRIES)]
    kind = str(random.choice(KINDS))
    for tones in tries:
        if len(choose_names(wanted, tones[:1] if kind == "plain" else tones)) == len(wanted):
            return draw_ground(kind, tones, size, random)
    named = np.array(list(wanted.values()), np.float32)
    clearest = max(tries, key=lambda tones: np.linalg.norm(named - tones[0], axis=1).min())
    return draw_ground("plain", clearest, size, random)


def _draw_tones(random: np.random.Generator) -> np.ndarray:
    tones = random.uniform(0, 255, (2, 3)).astype(np.float32)
    tones = tones if random.random() < 0.3 else tones * 0.35 + 0.65 * tones.mean(1, keepdims=True)
    tones[1] = 0.4 * tones[0] + 0.6 * tones[1]  # a calm ground
    return tones


def _fill_in(
    colour: np.ndarray, thing: Thing, size: int, random: np.random.Generator
) -> np.ndarray:
    """Return a thing's colour, or its colour and a lighter or darker one in a pattern."""
    if thing.pattern == "plain":
        return colour
    light = colour.mean() > 140
    other = colour * 0.35 if light else colour + 0.72 * (255 - colour)
    angle = random.uniform(0, np.pi)
    period = random.uniform(6.5, 8.5) * size / 160 * (1.25 if thing.size == "large" else 1)
    line = np.arange(size, dtype=np.float32) * np.float32(2 * np.pi / period)
    sine, cosine = np.float32(np.sin(angle)), np.float32(np.cos(angle))
    along = np.cos(line * cosine + line[:, None] * sine)
    if thing.pattern == "dotted":
        along = along + np.cos(line * sine - line[:, None] * cosine) - np.float32(0.65)
    share = np.clip(0.5 + 2 * along, 0, 1)[..., None]
    return colour + share * (other - colour)
