"""Ways from a target to its source: straight ones of flow matching, and those of diffusion."""

from dataclasses import dataclass
from math import inf

import torch
from torch import Generator, Tensor

from modalities.diffusion.measure.contract import Placed
from modalities.diffusion.noise import NOISE, NoiseSchedule


@dataclass(frozen=True)
class FlowPath:
    """A straight line, on which a model tells the velocity.

    Attributes:
        sigma: Deviation of noise that is added on the line; 0 adds none.
        to_source: Whether time runs from the target to the source, and with it the velocity, as in
            Stable Diffusion 3 and FLUX; else from the source to the target, as in flow matching.
        times: What the whole way takes: 1, or 1000 for models of diffusers.

    Raises:
        ValueError: sigma is below 0 or times is not above 0.

    Source:
        Tong et al., Conditional Flow Matching, arXiv 2302.00482; torchcfm.
    """

    sigma: float = 0.0
    to_source: bool = False
    times: float = 1.0

    def __post_init__(self):
        if not 0 <= self.sigma < inf or not 0 < self.times < inf:
            raise ValueError(
                f"sigma is {self.sigma} and times {self.times}; expected sigma of 0 or more, and "
                "times above 0."
            )

    def place(
        self, source: Tensor, target: Tensor, levels: Tensor, generator: Generator | None = None
    ) -> Placed:
        """Put rows on the line, see `Path`."""
        share = along(levels, target)
        noisy = share * source + (1 - share) * target
        if self.sigma:
            noisy = noisy + self.sigma * draw_like(noisy, generator)
        wanted = source - target if self.to_source else target - source
        return Placed(noisy, wanted, self.times * (levels if self.to_source else 1 - levels))

    def target_gain(self, levels: Tensor) -> Tensor:
        """Return the gain of a squared error, see `Path`."""
        return levels.square()

    def source_gain(self, levels: Tensor) -> Tensor:
        """Return the gain of a squared error, see `Path`."""
        return (1 - levels).square()


@dataclass(frozen=True)
class DiffusionPath:
    """A schedule of noise, on which a model tells the noise or the velocity, as it says.

    Attributes:
        schedule: How much noise there is at each time.
    """

    schedule: NoiseSchedule

    def place(
        self, source: Tensor, target: Tensor, levels: Tensor, generator: Generator | None = None
    ) -> Placed:
        """Make rows noisy, see `Path`; the times are whole numbers."""
        times = self.schedule.times_at(levels)
        noisy = self.schedule.add(target, source, times)
        return Placed(noisy, self.schedule.target(target, source, times), times)

    def target_gain(self, levels: Tensor) -> Tensor:
        """Return the gain of a squared error, see `Path`."""
        kept = self._kept(levels)
        return (1 - kept) / kept if self.schedule.told == NOISE else 1 - kept

    def source_gain(self, levels: Tensor) -> Tensor:
        """Return the gain of a squared error, see `Path`."""
        kept = self._kept(levels)
        return torch.ones_like(kept) if self.schedule.told == NOISE else kept

    def _kept(self, levels: Tensor) -> Tensor:
        kept = self.schedule.kept.to(levels.device)
        return kept[self.schedule.times_at(levels)]


def along(values: Tensor, rows: Tensor) -> Tensor:
    """Shape a number for each row, [rows], so that it goes with rows, [rows, 1, ...]."""
    return values.view(-1, *(1,) * (rows.ndim - 1)).to(rows)


def draw_like(rows: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw numbers from N(0, 1), shaped as rows are, on their device.

    Args:
        rows: Any shape.
        generator: Where chance comes from; None for torch's own.
    """
    device = generator.device if generator else rows.device
    return torch.randn(rows.shape, dtype=rows.dtype, device=device, generator=generator).to(rows)
