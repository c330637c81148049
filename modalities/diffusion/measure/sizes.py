"""Which sizes of pictures are learnt how often."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class EvenSizes:
    """All sizes alike.

    Attributes:
        sizes: Heights and widths in pixels, one or more.

    Raises:
        ValueError: There are none.
    """

    sizes: Sequence[tuple[int, int]]

    def __post_init__(self):
        _check(self.sizes)

    @property
    def probabilities(self) -> Tensor:
        """Of each size, [sizes], float64."""
        return torch.full((len(self.sizes),), 1 / len(self.sizes), dtype=torch.float64)

    def draw(self, generator: Generator | None = None) -> tuple[int, int]:
        """Draw a size, see `SizeSampler`."""
        return _draw(self.sizes, self.probabilities, generator)


@dataclass(frozen=True)
class FarSizes:
    """Sizes by the square of how far they are from the native one, which is never drawn.

    Attributes:
        native: Height and width that the model was made for, in pixels.
        sizes: Heights and widths in pixels, one or more that are not the native one.

    Raises:
        ValueError: There is none but the native one.

    Source:
        ResAdapter, arXiv 2403.02084: p(x) = |x - s|^2 / sum |x - s|^2 for squares of side x. How
        far a rectangle is, by height and width, is ours.
    """

    native: tuple[int, int]
    sizes: Sequence[tuple[int, int]]

    def __post_init__(self):
        _check([size for size in self.sizes if tuple(size) != tuple(self.native)])

    @property
    def probabilities(self) -> Tensor:
        """Of each size, [sizes], float64."""
        away = torch.tensor(self.sizes, dtype=torch.float64) - torch.tensor(self.native)
        squares = away.square().sum(1)
        return squares / squares.sum()

    def draw(self, generator: Generator | None = None) -> tuple[int, int]:
        """Draw a size, see `SizeSampler`."""
        return _draw(self.sizes, self.probabilities, generator)


def _check(sizes: Sequence[tuple[int, int]]) -> None:
    if not sizes:
        raise ValueError("There is no size to draw; expected one or more beside the native one.")


def _draw(
    sizes: Sequence[tuple[int, int]], probabilities: Tensor, generator: Generator | None
) -> tuple[int, int]:
    chances = probabilities.to(generator.device) if generator else probabilities
    height, width = sizes[int(torch.multinomial(chances, 1, generator=generator))]
    return height, width
