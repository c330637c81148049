"""Edits of drawn shapes in which text, reference and mask want different things.

Half of a shape is to be changed: the mask says which half, the text asks for one colour, the
reference shows another, and the task says who is right. All else is to stay as it is.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fusion.conditions.condition import Condition
from tools.conditions_pictures import COLOURS, SHAPES, Pictures, draw_shapes

TASKS = ("text", "reference", "erase", "keep")
# What each asks for, in words of a page.
ASKED = {
    "text": "the colour of the text",
    "reference": "the colour of the reference",
    "erase": "nothing there",
    "keep": "as it is",
}
PALETTE = torch.tensor(list(COLOURS.values())) / 127.5 - 1  # [colours, 3]
PATCH, SOLID = 2, 0.5  # the coverage above which a pixel counts as the shape's


@dataclass(frozen=True, eq=False)
class Edits:
    """Pictures and what is to become of them.

    Attributes:
        source: As they are, -1 to 1, [rows, 3, height, width].
        target: As they are to be, the same shape.
        words: Shape and the colour that the text asks for, int64, [rows, 2].
        reference: Pictures of other shapes in another colour, [rows, 3, height, width].
        mask: 1 where the edit is to be, [rows, 1, height, width].
        tasks: Numbers of TASKS, [rows].
        cover: How much of each pixel is the shape's, 0 to 1, [rows, 1, height, width].
    """

    source: Tensor
    target: Tensor
    words: Tensor
    reference: Tensor
    mask: Tensor
    tasks: Tensor
    cover: Tensor

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: Tensor) -> "Edits":
        """Return some of them, by number or mask."""
        return Edits(**{name: value[rows] for name, value in vars(self).items()})

    def conditions(self, name: str, kinds: tuple[str, ...]) -> list[Condition]:
        """Return what experts are told.

        Args:
            name: The injector's.
            kinds: Those that it needs.
        """
        packed = functional.pixel_unshuffle(self.reference, PATCH).flatten(2).mT
        data = {
            "latent": self.source,
            "map": self.mask,
            "tokens": packed,
            "vector": functional.one_hot(self.tasks, len(TASKS)).float(),
        }
        return [Condition(name, kind, data[kind]) for kind in kinds]


def draw_edits(part: str, count: int, seed: int) -> Edits:
    """Draw edits, each task as often.

    Args:
        part: A name of PARTS, whose pictures they are of.
        count: How many.
        seed: Fixes all.
    """
    generator = torch.Generator().manual_seed(seed)
    pictures = draw_shapes(part, count, seed)
    others = draw_shapes(part, count, seed + 1000)
    own = pictures.words[:, 1] - len(SHAPES)
    steps = torch.stack([torch.randperm(5, generator=generator)[:2] + 1 for _ in range(count)])
    asked, shown = ((own + step) % len(PALETTE) for step in steps.unbind(1))
    tasks = torch.arange(count) % len(TASKS)
    cover, ground = _cover(pictures)
    wanted = torch.stack([PALETTE[asked], PALETTE[shown], ground, PALETTE[own]], 1)
    edited = _fill(cover, ground, wanted[torch.arange(count), tasks])
    mask = _halves(pictures.attributes, pictures.values.shape[-1], generator)
    reference = _fill(*_cover(others), PALETTE[shown])
    return Edits(
        pictures.values,
        torch.lerp(pictures.values, edited, mask),
        torch.stack([pictures.words[:, 0], asked + len(SHAPES)], 1),
        reference,
        mask,
        tasks,
        cover,
    )


def _cover(pictures: Pictures) -> tuple[Tensor, Tensor]:
    """Return how much of each pixel is the shape's, and the ground's colour, [rows, 3]."""
    ground = pictures.values[:, :, 0, 0]
    away = PALETTE[pictures.words[:, 1] - len(SHAPES)] - ground
    along = torch.einsum("rchw,rc->rhw", pictures.values - ground[..., None, None], away)
    return (along / away.square().sum(1)[:, None, None]).clamp(0, 1)[:, None], ground


def _fill(cover: Tensor, ground: Tensor, colour: Tensor) -> Tensor:
    """Paint what is covered in a colour, [rows, 3], on a ground, [rows, 3]."""
    return torch.lerp(ground[..., None, None], colour[..., None, None], cover)


def _halves(attributes: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Return masks of the left, right, upper or lower half, parted at the shape's middle."""
    middles = (attributes[:, :2] * side).round().long()
    which = torch.randint(4, (len(attributes),), generator=generator)
    at = torch.arange(side)
    after = [at >= middles[:, axis, None] for axis in (0, 1)]  # [rows, side], columns and rows
    columns, rows = after[0][:, None, :].expand(-1, side, -1), after[1][:, :, None]
    chosen = torch.where((which < 2)[:, None, None], columns, rows.expand(-1, -1, side))
    return (chosen ^ (which % 2 == 0)[:, None, None]).float()[:, None]


def judge_edits(painted: Tensor, edits: Edits) -> dict[str, Tensor]:
    """Say of each picture whether it was edited as it was to be.

    A half of the shape has the colour, of the palette or the ground, that is nearest to the mean
    of its pixels.

    Args:
        painted: -1 to 1, [rows, 3, height, width].
        edits: What was asked for.

    Returns:
        Bool, [rows]: "inside", the half in the mask has the right colour; "outside", the other half
        has its own still; "both". Also "error", how far all else is off, [rows].
    """
    solid = edits.cover > SOLID
    halves = {"inside": solid & (edits.mask > 0), "outside": solid & (edits.mask == 0)}
    found = {
        name: _nearest(painted, half, edits) == _nearest(edits.target, half, edits)
        for name, half in halves.items()
    }
    rest = (edits.cover == 0).float()
    error = ((painted - edits.source).abs() * rest).sum((1, 2, 3)) / (3 * rest.sum((1, 2, 3)))
    return {**found, "both": found["inside"] & found["outside"], "error": error}


def _nearest(values: Tensor, some: Tensor, edits: Edits) -> Tensor:
    """Return the number of the colour that pixels are nearest to, the ground's after the others."""
    mean = (values * some).sum((2, 3)) / some.sum((2, 3)).clamp(min=1)  # [rows, 3]
    colours = torch.cat([PALETTE.expand(len(mean), -1, -1), edits.source[:, None, :, 0, 0]], 1)
    return (colours - mean[:, None]).square().sum(-1).argmin(1)
