"""What a training measure is made of: levels of noise, couplings, weights, and the path between.

Everywhere a level is the share of the way from a target, at 0, to its source, at 1: from a picture
to noise. Denoisers' own times are made of it by a path.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Generator, Tensor


@dataclass(frozen=True, eq=False)
class Levels:
    """Levels that were drawn for rows.

    Attributes:
        own: 0 to 1, [rows].
        other: The same rows' on the clock of another model, 0 to 1, [rows]; None without one.
    """

    own: Tensor
    other: Tensor | None = None


class TimeSampler(Protocol):
    """What draws levels."""

    def draw(self, rows: int, generator: Generator | None = None) -> Levels:
        """Draw levels, on the CPU or the generator's device.

        Args:
            rows: How many.
            generator: Where chance comes from; None for torch's own.
        """
        ...


@dataclass(frozen=True, eq=False)
class Placed:
    """Rows somewhere between their sources and their targets.

    Attributes:
        noisy: What the model sees, [rows, ...].
        wanted: What it is to tell of it, [rows, ...].
        times: The levels as the model knows them, [rows].
    """

    noisy: Tensor
    wanted: Tensor
    times: Tensor


class Path(Protocol):
    """How one comes from a target to its source, and what a model tells on the way."""

    def place(
        self, source: Tensor, target: Tensor, levels: Tensor, generator: Generator | None = None
    ) -> Placed:
        """Put rows at levels between sources and targets.

        Args:
            source: [rows, ...].
            target: [rows, ...].
            levels: 0 to 1, [rows].
            generator: Where chance comes from, on a path that wavers; None for torch's own.
        """
        ...

    def target_gain(self, levels: Tensor) -> Tensor:
        """Return by how much a squared error of what is told is larger as one of the target.

        Args:
            levels: 0 to 1, any shape.
        """
        ...

    def source_gain(self, levels: Tensor) -> Tensor:
        """Return by how much a squared error of what is told is larger as one of the source.

        Divided by `target_gain` it is the ratio of signal to noise.

        Args:
            levels: 0 to 1, any shape.
        """
        ...


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rows that are to be weighted.

    Attributes:
        source: [rows, ...].
        target: [rows, ...].
        levels: 0 to 1, [rows].
        path: Between the two.
    """

    source: Tensor
    target: Tensor
    levels: Tensor
    path: Path


class PairWeight(Protocol):
    """What weighs rows."""

    @property
    def normalised(self) -> bool:
        """Whether the weights of a batch are divided by their mean, as the learning rate wants."""
        ...

    def log_weights(self, pairs: Pairs) -> Tensor:
        """Return logarithms of weights, [rows]; -inf for a row that does not count."""
        ...


class Coupling(Protocol):
    """What pairs the sources of a batch with its targets."""

    def order(
        self, source: Tensor, target: Tensor, generator: Generator | None = None
    ) -> Tensor | None:
        """Choose a source for each target; targets stay where their conditions are.

        Args:
            source: [rows, ...].
            target: [rows, ...].
            generator: Where chance comes from; None for torch's own.

        Returns:
            The row of each target's source, int64, [rows]; None for sources as they are.
        """
        ...


class SizeSampler(Protocol):
    """What draws sizes of pictures."""

    @property
    def sizes(self) -> Sequence[tuple[int, int]]:
        """Heights and widths in pixels, one or more."""
        ...

    def draw(self, generator: Generator | None = None) -> tuple[int, int]:
        """Draw height and width in pixels.

        Args:
            generator: Where chance comes from; None for torch's own.
        """
        ...


class Model(Protocol):
    """What is trained."""

    def __call__(self, noisy: Tensor, times: Tensor, cond: Any, /, *other: Tensor) -> Tensor:
        """Return what is wanted of noisy rows, [rows, ...].

        Args:
            noisy: [rows, ...].
            times: As the path has them, [rows].
            cond: What the rows are about.
            other: One more, the levels on another model's clock, [rows], where levels are matched.
        """
        ...
