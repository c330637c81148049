"""What rendered scenes are made of: a world that is seen first, and one that is new."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from modalities.spelling import did_you_mean

Kind = Mapping[str, str]  # what is told of a thing, by axis: {"colour": "red", "shape": "star"}
AXES = ("size", "pattern", "colour", "shape")  # in the order in which they are said
CLEAR = 0.12  # of the picture's edge: who lies so far to the left is left of the other
LEVEL = 0.03  # who lies no farther than this is surely not
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}


@dataclass(frozen=True)
class World:
    """What there is in scenes of one look.

    Attributes:
        look: "seen" or "unseen".
        axes: Those of `AXES` that are talked about.
        values: What each axis can be, said as it is called here. Two worlds have no colour and no
            shape in common.
    """

    look: str
    axes: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Thing:
    """One thing in a picture.

    Attributes:
        size: "small" or "large".
        pattern: "plain", "striped" or "dotted".
        colour: A name of `data_prep.masks.scenes.palette.RGB`.
        shape: A name of `data_prep.masks.scenes.outlines.SHAPES`.
        x: Of its centre of mass, 0 at the left edge of the picture to 1.
        y: Of its centre of mass, 0 at the top edge of the picture to 1.
    """

    size: str
    pattern: str
    colour: str
    shape: str
    x: float = 0.5
    y: float = 0.5

    def tell(self, axes: Iterable[str]) -> dict[str, str]:
        """Return what is true of it along some axes."""
        return {axis: getattr(self, axis) for axis in axes}


WORLDS = {
    "seen": World(
        "seen",
        ("size", "colour", "shape"),
        {
            "size": ("small", "large"),
            "pattern": ("plain",),
            "colour": ("red", "green", "blue", "yellow", "orange", "purple", "black", "white"),
            "shape": ("circle", "square", "triangle", "star", "cross", "ring"),
        },
    ),
    "unseen": World(
        "unseen",
        AXES,
        {
            "size": ("small", "large"),
            "pattern": ("plain", "striped", "dotted"),
            "colour": ("pink", "brown", "cyan", "grey"),
            "shape": ("oval", "rectangle", "crescent"),
        },
    ),
}


def find_world(look: str) -> World:
    """Return a world by name.

    Raises:
        ValueError: There is no such look.
    """
    if look not in WORLDS:
        raise ValueError(
            f"No look {look!r}; known: {', '.join(WORLDS)}.{did_you_mean(look, WORLDS)}"
        )
    return WORLDS[look]


def fits(kind: Kind, thing: Thing) -> bool:
    """Whether all that is told is true of a thing."""
    return all(getattr(thing, axis) == value for axis, value in kind.items())


def count(kind: Kind, things: Iterable[Thing]) -> int:
    """Return how many things a kind fits."""
    return sum(fits(kind, thing) for thing in things)


def is_related(first: Thing, relation: str, second: Thing) -> bool | None:
    """Whether the first thing lies left, right, above or below of the second.

    Returns:
        None where it is neither clearly so nor clearly not, so that nobody should be asked.
    """
    axis = "x" if relation in ("left", "right") else "y"
    ahead = getattr(second, axis) - getattr(first, axis)
    ahead = ahead if relation in ("left", "above") else -ahead
    return True if ahead >= CLEAR else False if ahead <= LEVEL else None
