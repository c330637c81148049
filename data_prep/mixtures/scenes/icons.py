"""Icons of the kinds of sounds, drawn from formulas, another one for each seed."""

from collections.abc import Callable, Sequence

import numpy as np

from data_prep.mixtures.scenes.canvas import Canvas, arc, disc, vary
from modalities.spelling import did_you_mean

SMALLEST = 16  # pixels of an icon's edge: less cannot be told
# Where icons of one picture are, as centre and edge in shares of the picture's edge.
PLACES: dict[int, tuple[tuple[float, float, float], ...]] = {
    1: ((0.5, 0.5, 0.94),),
    2: ((0.25, 0.5, 0.5), (0.75, 0.5, 0.5)),
    3: ((0.25, 0.27, 0.5), (0.75, 0.27, 0.5), (0.5, 0.75, 0.5)),
}
MOST = max(PLACES)
TONES = np.array([(236, 240, 246), (244, 236, 228), (230, 242, 232), (242, 232, 242)], np.float32)


def render_icon(kind: str, random: np.random.Generator, size: int = 64) -> np.ndarray:
    """Draw the icon of a kind of sound on a pale ground.

    Args:
        kind: A name of `ICONS`, which are those of `sounds.SOUNDS`.
        random: Draws colours, proportions, turn and place.
        size: Edge in pixels, 16 or more.

    Returns:
        uint8 [size, size, 3], RGB.

    Raises:
        ValueError: There is no such kind, or the size is too small.
    """
    return render_icons([kind], random, size)


def render_icons(
    kinds: Sequence[str], random: np.random.Generator, size: int = 64, share: float = 1.0
) -> np.ndarray:
    """Draw icons side by side on one pale ground, from the top left in the order given.

    Args:
        kinds: One to three names of `ICONS`; two share the picture's width, a third is below.
        random: Draws colours, proportions, turns and places.
        size: Edge in pixels, 16 or more; twice as much for several.
        share: How large icons are beside what they usually are, above 0 to 1.

    Returns:
        uint8 [size, size, 3], RGB.

    Raises:
        ValueError: There is no such kind, none or too many are given, or the size is too small.
    """
    for kind in kinds:
        if kind not in ICONS:
            told = did_you_mean(kind, ICONS)
            raise ValueError(f"No icon {kind!r}; known: {', '.join(ICONS)}.{told}")
    if len(kinds) not in PLACES:
        raise ValueError(f"{len(kinds)} icons were asked for; expected 1 to {MOST}.")
    smallest = SMALLEST * (1 if len(kinds) == 1 else 2)
    if size < smallest:
        raise ValueError(f"Size is {size}; expected {smallest} pixels or more for that many icons.")
    ground = TONES[int(random.integers(len(TONES)))] + random.uniform(-8, 8, 3)
    canvas = Canvas(size, ground)
    for kind, (column, row, edge) in zip(kinds, PLACES[len(kinds)], strict=True):
        reach = edge / 2 * random.uniform(0.78, 0.9)
        spare = (edge / 2 - reach) * 0.8
        centre = np.array([column, row]) + random.uniform(-spare, spare, 2)
        canvas.move_to(centre, share * reach, random.uniform(-0.12, 0.12))
        ICONS[kind](canvas, random)
    return canvas.picture()


def _bell(canvas: Canvas, random: np.random.Generator) -> None:
    gold, wide = vary((222, 168, 32), random), random.uniform(0.75, 0.95)
    height = np.linspace(-0.75, 0.55, 24)
    half = 0.28 + 0.3 * np.sqrt((height + 0.75) / 1.3) + 0.25 * ((height + 0.75) / 1.3) ** 5
    half *= wide / half.max()
    side = np.stack([half, height], 1)
    canvas.fill(disc(0, 0.68, 0.19), gold * 0.6)
    canvas.fill(disc(0, -0.8, 0.14), gold * 0.7)
    canvas.fill(np.concatenate([side, side[::-1] * (-1, 1)]), gold)
    canvas.line([(-wide * 0.93, 0.5), (wide * 0.93, 0.5)], gold * 0.6, 0.1)


def _siren(canvas: Canvas, random: np.random.Generator) -> None:
    red, high = vary((214, 40, 44), random), random.uniform(0.55, 0.7)
    dome = arc(0, 0.35, 0.48, -180, 0) * (1, 1)
    dome[:, 1] = 0.35 + (dome[:, 1] - 0.35) * high / 0.48
    canvas.fill(dome, red)
    canvas.fill(box(-0.68, 0.35, 0.68, 0.68), vary((70, 74, 84), random))
    for degrees in (-155, -122, -90, -58, -25):
        turn = np.deg2rad(degrees)
        way = np.array([np.cos(turn), np.sin(turn)])
        canvas.line([way * 0.72 + (0, 0.2), way * 0.98 + (0, 0.2)], red, 0.11)


def _drum(canvas: Canvas, random: np.random.Generator) -> None:
    side, high = vary((150, 50, 120), random), random.uniform(0.65, 0.85)
    top, bottom = 0.1 - high / 2, 0.1 + high / 2
    rim = (1.0, 0.32)
    canvas.fill(disc(0, bottom, 0.72, rim), side)
    canvas.fill(box(-0.72, top, 0.72, bottom), side)
    steps = np.linspace(-0.72, 0.72, 9)
    zigzag = [(x, (top + 0.2) if n % 2 else (bottom + 0.05)) for n, x in enumerate(steps)]
    canvas.line(zigzag, vary((246, 214, 120), random), 0.06)
    canvas.fill(disc(0, top, 0.72, rim), vary((232, 210, 170), random))
    for sign in (-1, 1):
        canvas.line([(0.95 * sign, -0.95), (0.16 * sign, top + 0.02)], (110, 72, 40), 0.09)


def _rain(canvas: Canvas, random: np.random.Generator) -> None:
    cloud, drop = vary((132, 142, 160), random), vary((40, 96, 220), random)
    for x, y, radius in ((-0.45, -0.3, 0.32), (0, -0.5, 0.42), (0.45, -0.3, 0.34)):
        canvas.fill(disc(x, y, radius), cloud)
    canvas.fill(box(-0.5, -0.35, 0.5, 0.02), cloud)
    slant, shift = random.uniform(0.05, 0.2), random.uniform(-0.08, 0.08)
    rows = {0.25: (-0.55, -0.15, 0.25, 0.6), 0.65: (-0.35, 0.1, 0.45)}
    for x, y in [(x, y) for y, row in rows.items() for x in row]:
        canvas.line([(x + shift, y), (x + shift - slant, y + 0.24)], drop, 0.11)


def _wind(canvas: Canvas, random: np.random.Generator) -> None:
    teal = vary((20, 140, 150), random)
    reach = random.uniform(0.3, 0.6)
    for y, end, radius, side in ((-0.3, 0, 0.26, 1), (0.05, 0.2, 0.22, -1), (0.4, -0.1, 0.24, -1)):
        # Up and back over the line, or down and back under it.
        curl = arc(reach + end, y - side * radius, radius, 90 * side, -130 * side)
        canvas.line([(-0.9, y), *curl], teal, 0.13)


def _whistle(canvas: Canvas, random: np.random.Generator) -> None:
    green, side = vary((30, 150, 60), random), random.choice([-1.0, 1.0])
    canvas.fill(disc(-0.25 * side, 0.2, 0.55), green)
    canvas.fill(box(-0.25 * side, -0.35, 0.95 * side, 0.05), green)
    canvas.fill(box(0.05 * side, -0.36, 0.3 * side, -0.12), (250, 250, 246))
    canvas.fill(disc(-0.25 * side, 0.2, 0.24), green * 0.5)
    canvas.line(arc(-0.8 * side, -0.1, 0.16, 0, 350), (70, 74, 84), 0.08)


def _engine(canvas: Canvas, random: np.random.Generator) -> None:
    iron, teeth = vary((64, 70, 84), random), int(random.integers(7, 10))
    turn = np.linspace(0, 2 * np.pi, teeth * 24, endpoint=False)
    radius = 0.68 + 0.24 * np.tanh(6 * np.cos(teeth * turn))[:, None] / 2 + 0.06
    canvas.fill(radius * np.stack([np.cos(turn), np.sin(turn)], 1), iron)
    canvas.fill(disc(0, 0, 0.42), (206, 210, 218))
    canvas.fill(disc(0, 0, random.uniform(0.16, 0.24)), iron)


def _bird(canvas: Canvas, random: np.random.Generator) -> None:
    body, side = vary((244, 188, 20), random), random.choice([-1.0, 1.0])
    tail = np.array([(-0.85, -0.3), (-0.3, 0.05), (-0.3, 0.4)])
    canvas.fill(tail * (side, 1), body * 0.8)
    canvas.fill(disc(-0.05 * side, 0.2, 0.55, (1.0, 0.8)), body)
    canvas.fill(disc(0.38 * side, -0.32, 0.34), body)
    beak = np.array([(0.64, -0.46), (1.0, -0.28), (0.64, -0.16)])
    canvas.fill(beak * (side, 1), (230, 90, 20))
    canvas.fill(disc(-0.18 * side, 0.2, 0.32, (1.0, 0.55)), body * 0.7)
    canvas.fill(disc(0.46 * side, -0.38, 0.08), (20, 20, 24))
    for x in (-0.15, 0.12):
        canvas.line([(x * side, 0.6), (x * side, 0.92)], (150, 80, 30), 0.07)


def _clock(canvas: Canvas, random: np.random.Generator) -> None:
    rim = vary((120, 70, 40), random)
    canvas.fill(disc(0, 0, 0.9), rim)
    canvas.fill(disc(0, 0, 0.74), (252, 252, 248))
    for number in range(12):
        turn = number * np.pi / 6
        way = np.array([np.sin(turn), -np.cos(turn)])
        canvas.line([way * 0.6, way * 0.68], (50, 50, 56), 0.07)
    for length, width in ((0.36, 0.11), (0.54, 0.08)):
        turn = random.uniform(0, 2 * np.pi)
        canvas.line([(0, 0), (length * np.sin(turn), -length * np.cos(turn))], (30, 30, 36), width)


def _waves(canvas: Canvas, random: np.random.Generator) -> None:
    x = np.linspace(-0.92, 0.92, 60)
    blue, phase = vary((30, 110, 190), random), random.uniform(0, 6)
    for number, y in enumerate((-0.35, 0.1, 0.5)):
        crest = y + 0.16 * np.sin(x * random.uniform(6, 8) + phase + 1.5 * number)
        below = np.stack([x[::-1], np.full(60, 0.85)], 1)
        canvas.fill(np.concatenate([np.stack([x, crest], 1), below]), blue * (1.15 - 0.25 * number))
        canvas.line(np.stack([x, crest], 1), (240, 248, 252), 0.06)


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """Return the corners of a rectangle, [4, 2]."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])


ICONS: dict[str, Callable[[Canvas, np.random.Generator], None]] = {
    "bell": _bell,
    "siren": _siren,
    "drum": _drum,
    "rain": _rain,
    "wind": _wind,
    "whistle": _whistle,
    "engine": _engine,
    "bird": _bird,
    "clock": _clock,
    "waves": _waves,
}
