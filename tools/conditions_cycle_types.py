"""Four conditions of drawn shapes, how they are read in pictures, and how they are spoilt."""

from collections.abc import Mapping

import torch
from torch import Generator, Tensor
from torch.nn import functional

from fusion.conditions.condition import Condition
from fusion.conditions.routing.cycle import Cycle
from tools.conditions_judges import NEAR, measure_shapes
from tools.conditions_pictures import SIDE, find_edges

BLOCKS = 4  # to a side, of the coarse picture of colours
SPOILT = 0.35  # share of conditions
LIGHT = 0.0  # what the lightest colour of a pixel of a shape is above
Data = Mapping[str, Tensor]


def read_cover(values: Tensor) -> Tensor:
    """Return where a light shape is on a dark ground, 0 or 1, [rows, 1, height, width]."""
    return (values.amax(1, keepdim=True) > LIGHT).float()


def read_colours(values: Tensor) -> Tensor:
    """Return the mean colour of each of 4 x 4 blocks, [rows, 3, height, width]."""
    blocks = functional.adaptive_avg_pool2d(values.clamp(-1, 1), BLOCKS)
    return functional.interpolate(blocks, size=values.shape[2:])


def edges_alike(told: Tensor, found: Tensor) -> Tensor:
    """Return F1 of edges, with one pixel of tolerance, [rows]."""
    near = [functional.max_pool2d(one, NEAR, 1, NEAR // 2) for one in (found, told)]
    hits = [(found * near[1]).sum((1, 2, 3)), (told * near[0]).sum((1, 2, 3))]
    precision = hits[0] / found.sum((1, 2, 3)).clamp(min=1)
    recall = hits[1] / told.sum((1, 2, 3)).clamp(min=1)
    return 2 * precision * recall / (precision + recall).clamp(min=1e-9)


def covers_alike(told: Tensor, found: Tensor) -> Tensor:
    """Return what two shapes share of both together, [rows]."""
    both = torch.minimum(told, found).sum((1, 2, 3))
    return both / torch.maximum(told, found).sum((1, 2, 3)).clamp(min=1)


def numbers_alike(told: Tensor, found: Tensor) -> Tensor:
    """Return minus the mean difference, [rows]."""
    return -(told - found).abs().flatten(1).mean(1)


CYCLES = {
    "edges": Cycle(find_edges, edges_alike),
    "cover": Cycle(read_cover, covers_alike),
    "colours": Cycle(read_colours, numbers_alike),
    "place": Cycle(measure_shapes, numbers_alike),
}
KINDS = {"edges": "map", "cover": "map", "colours": "map", "place": "vector"}


def read_all(values: Tensor) -> dict[str, Tensor]:
    """Return the data of all four conditions of pictures, by type."""
    return {name: cycle.read(values) for name, cycle in CYCLES.items()}


def spoil(
    data: Data, generator: Generator, share: float = SPOILT
) -> tuple[dict[str, Tensor], Tensor]:
    """Spoil some conditions of each row, but not all: by another picture's, or by chance.

    Args:
        data: What is told, by type, [rows, ...].
        generator: Draws which and how.
        share: How many of all conditions are spoilt, 0 to 1.

    Returns:
        Data, and how each was spoilt, int64, [rows, types]: 0 sound, 1 of another picture, 2 noise,
        which is its own pixels in another order, or numbers within the usual range.
    """
    rows = len(next(iter(data.values())))
    how = torch.randint(1, 3, (rows, len(data)), generator=generator)
    how = how * (torch.rand(how.shape, generator=generator) < share)
    left = torch.randint(len(data), (rows, 1), generator=generator)
    how = torch.where((how > 0).all(1, keepdim=True), how.scatter(1, left, 0), how)
    found = {}
    for number, (name, values) in enumerate(data.items()):
        step = int(torch.randint(1, rows, (1,), generator=generator))
        ways = [values, values.roll(step, 0), _noise(values, generator)]
        found[name] = torch.stack(ways)[how[:, number], torch.arange(rows)]
    return found, how


def _noise(values: Tensor, generator: Generator) -> Tensor:
    if values.ndim == 2:
        low, high = values.amin(0), values.amax(0)
        return low + (high - low) * torch.rand(values.shape, generator=generator)
    # Whole blocks of colours change places, and single pixels of the others.
    side = BLOCKS if values.shape[1] == 3 else values.shape[-1]
    small = functional.interpolate(values, size=(side, side)).flatten(2)
    order = torch.rand(len(values), 1, side * side, generator=generator).argsort(2)
    mixed = small.gather(2, order.expand_as(small)).unflatten(2, (side, side))
    return functional.interpolate(mixed, size=values.shape[2:])


def tell(data: Data, kept: Mapping[str, bool] | None = None) -> list[Condition]:
    """Return conditions for a denoiser.

    Args:
        data: By type, [rows, ...].
        kept: Which are told; None for all.
    """
    return [
        Condition(name, KINDS[name], values)
        for name, values in data.items()
        if kept is None or kept.get(name)
    ]


def to_evaluator(data: Data) -> dict[str, Tensor]:
    """Return data with as few numbers as they have: colours by blocks."""
    blocks = functional.adaptive_avg_pool2d(data["colours"], BLOCKS)
    return {**data, "colours": blocks}


NUMBERS = {"edges": SIDE**2, "cover": SIDE**2, "colours": 3 * BLOCKS**2, "place": 3}
