"""Flows between points of the plane: distributions, a small network, how far a flow is off."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from modalities.diffusion.measure.couplings import ExactTransport

WIDTH = 64
MANY, FEW = 100, 4  # steps of Euler
POINTS, DRAWS = 1024, 3  # points that are compared, and how often they are drawn
OTHERS = 5  # other draws of targets that the floor is the mean of
VALIDATION, TEST = 1, 2  # of the seeds of what is drawn; trainings have others
Draw = Callable[[int, np.random.Generator], Tensor]


def draw_normal(points: int, random: np.random.Generator) -> Tensor:
    """Draw points from N(0, I), [points, 2]."""
    return _tensor(random.standard_normal((points, 2)))


def draw_eight_gaussians(points: int, random: np.random.Generator) -> Tensor:
    """Draw points from eight Gaussians on a circle of radius 5, [points, 2].

    Source:
        torchcfm.utils, whose covariance is the root of 0.1.
    """
    angles = random.integers(8, size=points) * np.pi / 4
    centres = 5 * np.stack([np.cos(angles), np.sin(angles)], 1)
    return _tensor(centres + 0.1**0.25 * random.standard_normal((points, 2)))


def draw_moons(points: int, random: np.random.Generator) -> Tensor:
    """Draw points from two half circles that reach into each other, [points, 2].

    Source:
        torchcfm.utils: noise of 0.2, then three times as large, and one less.
    """
    angles = random.uniform(0, np.pi, points)
    outer = np.stack([np.cos(angles), np.sin(angles)], 1)
    inner = np.stack([1 - np.cos(angles), 0.5 - np.sin(angles)], 1)
    moons = np.where(random.random((points, 1)) < 0.5, outer, inner)
    return _tensor(3 * (moons + 0.2 * random.standard_normal((points, 2))) - 1)


def _tensor(points: np.ndarray) -> Tensor:
    return torch.from_numpy(points.astype(np.float32))


@dataclass(frozen=True)
class Toy:
    """From where to where points are to flow.

    Attributes:
        draw_source: Draws points, and what chance they come from.
        draw_target: Draws points, and what chance they come from.
    """

    draw_source: Draw
    draw_target: Draw

    def draw(self, points: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw sources and targets, independently, both [points, 2]."""
        return self.draw_source(points, random), self.draw_target(points, random)


TOYS: Mapping[str, Toy] = {
    "8 Gaussians to moons": Toy(draw_eight_gaussians, draw_moons),
    "noise to 8 Gaussians": Toy(draw_normal, draw_eight_gaussians),
}


class VelocityNetwork(nn.Module):
    """Three hidden layers of SELU, as torchcfm's MLP."""

    def __init__(self):
        super().__init__()
        widths = (3, WIDTH, WIDTH, WIDTH)
        layers = [
            layer
            for before, after in zip(widths, widths[1:], strict=False)
            for layer in (nn.Linear(before, after), nn.SELU())
        ]
        self.layers = nn.Sequential(*layers, nn.Linear(WIDTH, 2))

    def forward(self, noisy: Tensor, times: Tensor, cond: Any = None, /, *other: Tensor) -> Tensor:
        """Return velocities, [points, 2].

        Args:
            noisy: [points, 2].
            times: 0 at the source to 1 at the target, [points].
            cond: Not read.
            other: Not read.
        """
        return self.layers(torch.cat([noisy, times[:, None]], 1))


@torch.no_grad()
def follow(network: nn.Module, source: Tensor, steps: int) -> tuple[Tensor, float]:
    """Let points flow by Euler's steps.

    Args:
        network: Tells velocities.
        source: [points, 2].
        steps: How many.

    Returns:
        All places on the way, [steps + 1, points, 2]; and the mean over points of the integral of
        the squared velocity.
    """
    places, energy = [source], 0.0
    for step in range(steps):
        velocity = network(places[-1], torch.full((len(source),), step / steps))
        energy += float(velocity.square().sum(1).mean()) / steps
        places.append(places[-1] + velocity / steps)
    return torch.stack(places), energy


def squared_distance(some: Tensor, others: Tensor) -> float:
    """Return the squared 2-Wasserstein distance of as many points, by the best pairing."""
    order = ExactTransport().order(some, others)
    return float((some[order] - others).square().sum(1).mean())


def measure_flow(network: nn.Module, toy: Toy, seed: int) -> dict[str, float]:
    """Say how far a flow is off.

    Args:
        network: Tells velocities.
        toy: From where to where.
        seed: Fixes the points: `VALIDATION` for those by which something is chosen, `TEST` for
            those of which is told.

    Returns:
        "w2_many" and "w2_few", distance of what flowed and of as many targets after `MANY` and
        `FEW` steps; "energy" of the path; "gap", how far ends of many and of few steps lie apart.
        Means over `DRAWS`.
    """
    found = []
    for draw in range(DRAWS):
        source, target = toy.draw(POINTS, np.random.default_rng([seed, draw]))
        many, energy = follow(network, source, MANY)
        few, _ = follow(network, source, FEW)
        found.append(
            {
                "w2_many": squared_distance(many[-1], target) ** 0.5,
                "w2_few": squared_distance(few[-1], target) ** 0.5,
                "energy": energy,
                "gap": float((many[-1] - few[-1]).norm(dim=1).mean()),
            }
        )
    return {name: fmean(one[name] for one in found) for name in found[0]}


def measure_toy(toy: Toy) -> dict[str, float]:
    """Say how far drawn points are from each other where nothing is learnt.

    Args:
        toy: From where to where.

    Returns:
        "floor", how far other draws of as many targets are from those that flows are measured by,
        which a flow comes below by the luck of its sources alone; "squared", the squared distance
        of sources and targets, the energy of the best flow.
    """
    floors, squares = [], []
    for draw in range(DRAWS):
        source, target = toy.draw(POINTS, np.random.default_rng([TEST, draw]))
        squares.append(squared_distance(source, target))
        random = np.random.default_rng([TEST, draw, 1])
        for _ in range(OTHERS):
            other = toy.draw_target(POINTS, random)
            floors.append(squared_distance(other, target) ** 0.5)
    return {"floor": fmean(floors), "squared": fmean(squares)}
