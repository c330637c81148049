"""Which levels of noise are learnt how often: samplers that are known by their quantiles."""

from dataclasses import dataclass, field
from math import inf

import torch
from torch import Generator, Tensor

from modalities.diffusion.measure.contract import Levels


class LevelSampler:
    """Draws one level for each row, as the quantile of an even share.

    0 is a target alone, as a picture, and 1 its source, as noise.
    """

    def quantile(self, shares: Tensor) -> Tensor:
        """Return the levels below which so large shares of all that is drawn lie.

        Args:
            shares: 0 to 1, any shape.
        """
        raise NotImplementedError

    def share(self, levels: Tensor) -> Tensor:
        """Return the share of all that is drawn that lies below levels: what `quantile` undoes.

        Args:
            levels: 0 to 1, any shape.
        """
        raise NotImplementedError

    def draw(self, rows: int, generator: Generator | None = None) -> Levels:
        """Draw levels, see `TimeSampler`."""
        return Levels(self.quantile(draw_shares(rows, generator)))


@dataclass(frozen=True)
class Uniform(LevelSampler):
    """All levels alike."""

    def quantile(self, shares: Tensor) -> Tensor:
        """Return levels, see `LevelSampler`."""
        return shares

    def share(self, levels: Tensor) -> Tensor:
        """Return shares, see `LevelSampler`."""
        return levels


@dataclass(frozen=True)
class Late(LevelSampler):
    """Levels near the source more often: an even number to the power of 1 / late.

    Attributes:
        late: Above 0; the density grows as a level to the power of late - 1. 1 draws all alike.

    Raises:
        ValueError: It is not above 0, or not finite.
    """

    late: float = 1.0

    def __post_init__(self):
        if not 0 < self.late < inf:
            raise ValueError(f"late is {self.late}; expected above 0 and finite, 1 for evenly.")

    def quantile(self, shares: Tensor) -> Tensor:
        """Return levels, see `LevelSampler`."""
        return shares ** (1 / self.late)

    def share(self, levels: Tensor) -> Tensor:
        """Return shares, see `LevelSampler`."""
        return levels**self.late


@dataclass(frozen=True)
class Cubic(LevelSampler):
    """1 less the third power of an even number: half of all levels lie above 7/8.

    Source:
        T2I-Adapter, arXiv 2302.08453: t = (1 - (t / T)^3) T.
    """

    def quantile(self, shares: Tensor) -> Tensor:
        """Return levels, see `LevelSampler`."""
        return 1 - (1 - shares) ** 3

    def share(self, levels: Tensor) -> Tensor:
        """Return shares, see `LevelSampler`."""
        return 1 - (1 - levels) ** (1 / 3)


@dataclass(frozen=True)
class LogitNormal(LevelSampler):
    """The logistic function of a normal number.

    A level s is, as the deviation of noise beside a picture, sigma = s / (1 - s), so that these are
    the log-normal deviations of EDM and Stable Video Diffusion as well. diffusers'
    `compute_density_for_timestep_sampling` counts the other way round, from noise at 0: its mean is
    the negative of this one.

    Attributes:
        mean: Above 0 for levels nearer to noise.
        deviation: How widely they are spread, above 0.

    Raises:
        ValueError: The mean is not finite, or the deviation not above 0 or not finite.

    Source:
        Stable Diffusion 3, arXiv 2403.03206; PKA, arXiv 2602.06850, takes 0.5 and 1.5.
    """

    mean: float = 0.0
    deviation: float = 1.0

    def __post_init__(self):
        if not -inf < self.mean < inf or not 0 < self.deviation < inf:
            raise ValueError(
                f"mean is {self.mean} and deviation {self.deviation}; expected a finite mean, and "
                "a deviation above 0 and finite."
            )

    def quantile(self, shares: Tensor) -> Tensor:
        """Return levels, see `LevelSampler`."""
        return torch.sigmoid(self.mean + self.deviation * torch.special.ndtri(shares))

    def share(self, levels: Tensor) -> Tensor:
        """Return shares, see `LevelSampler`."""
        return torch.special.ndtr((torch.logit(levels) - self.mean) / self.deviation)


@dataclass(frozen=True)
class IndependentPair:
    """For a batch of pairs, all first halves before all second ones: each half has its own level.

    One model so learns the first given the second, the second given the first, and both together.

    Attributes:
        first: Draws levels of the first halves.
        second: Draws levels of the second halves.

    Source:
        UniCon, arXiv 2410.11439.
    """

    first: LevelSampler = field(default_factory=Uniform)
    second: LevelSampler = field(default_factory=Uniform)

    def draw(self, rows: int, generator: Generator | None = None) -> Levels:
        """Draw levels, see `TimeSampler`.

        Raises:
            ValueError: The rows are not even in number.
        """
        if rows % 2:
            raise ValueError(f"There are {rows} rows; expected two for each pair, an even number.")
        halves = [part.draw(rows // 2, generator).own for part in (self.first, self.second)]
        return Levels(torch.cat(halves))


@dataclass(frozen=True)
class QuantileMatched:
    """For two models that look at one row, each by its own clock: both at the same quantile.

    Attributes:
        own: Draws levels for the model that is trained on.
        other: How the other model's levels are spread.

    Source:
        Ctrl-Adapter, arXiv 2404.09967: "inverse timestep sampling".
    """

    own: LevelSampler = field(default_factory=LogitNormal)
    other: LevelSampler = field(default_factory=Uniform)

    def draw(self, rows: int, generator: Generator | None = None) -> Levels:
        """Draw levels, see `TimeSampler`; the other clock's with them."""
        shares = draw_shares(rows, generator)
        return Levels(self.own.quantile(shares), self.other.quantile(shares))

    def match(self, levels: Tensor) -> Tensor:
        """Return the other clock's levels where those of the own are known, as in sampling.

        Args:
            levels: 0 to 1, any shape.
        """
        return self.other.quantile(self.own.share(levels))


def draw_shares(rows: int, generator: Generator | None = None) -> Tensor:
    """Draw even numbers, 0 to below 1, [rows].

    Args:
        rows: How many.
        generator: Where chance comes from, and on which device they are; None for torch's own.
    """
    return torch.rand(rows, generator=generator, device=generator.device if generator else None)
