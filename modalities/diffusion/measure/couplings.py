"""Which source goes with which target of a batch."""

from dataclasses import dataclass
from math import inf, log

import torch
from torch import Generator, Tensor

from modalities.diffusion.measure.costs import SQUARED, check_cost, costs_of_all
from modalities.extras import import_extra


@dataclass(frozen=True)
class Given:
    """Sources as they come: pairs that belong together, or noise, which belongs to nothing."""

    def order(
        self, source: Tensor, target: Tensor, generator: Generator | None = None
    ) -> Tensor | None:
        """Choose sources, see `Coupling`."""
        return None


@dataclass(frozen=True)
class Independent:
    """Sources in an order that is drawn, so that pairs that came together are parted."""

    def order(
        self, source: Tensor, target: Tensor, generator: Generator | None = None
    ) -> Tensor | None:
        """Choose sources, see `Coupling`."""
        device = generator.device if generator else None
        return torch.randperm(len(source), generator=generator, device=device)


@dataclass(frozen=True)
class ExactTransport:
    """Minibatch optimal transport: each source once, so that all together cost the least.

    Attributes:
        cost: "squared" or "norm".

    Raises:
        ValueError: No cost is called so; when called, scipy is not installed.

    Source:
        OT-CFM, arXiv 2302.00482. torchcfm draws pairs of the plan with replacement instead, which
        leaves a third of a batch out.
    """

    cost: str = SQUARED

    def __post_init__(self):
        check_cost(self.cost)

    def order(
        self, source: Tensor, target: Tensor, generator: Generator | None = None
    ) -> Tensor | None:
        """Choose sources, see `Coupling`."""
        scipy = import_extra("scipy", "diffusion", "minibatch optimal transport")
        costs = costs_of_all(source, target, self.cost).double()
        # What a row or a column costs at least changes no choice, and without it scipy is faster.
        costs = costs - costs.amin(1, keepdim=True)
        costs = costs - costs.amin(0)
        _, sources = scipy.optimize.linear_sum_assignment(costs.T.cpu().numpy())
        return torch.from_numpy(sources)


@dataclass(frozen=True)
class SinkhornTransport:
    """Entropic minibatch optimal transport: each target draws a source from its column of the plan.

    Attributes:
        epsilon: Above 0, in units of the cost: near 0 the least cost decides, far above costs of
            the batch chance does.
        cost: "squared" or "norm".
        rounds: Most iterations; the smaller epsilon, the more are needed.
        tolerance: They end where no source's share is off by more than this, of its own size.

    Raises:
        ValueError: A number that cannot be, or no cost is called so.

    Source:
        Cuturi, Sinkhorn distances, arXiv 1306.0895; in logarithms.
    """

    epsilon: float = 1.0
    cost: str = SQUARED
    rounds: int = 1000
    tolerance: float = 1e-3

    def __post_init__(self):
        check_cost(self.cost)
        if not 0 < self.epsilon < inf or self.rounds < 1 or not self.tolerance > 0:
            raise ValueError(
                f"epsilon is {self.epsilon}, rounds {self.rounds}, tolerance {self.tolerance}; "
                "expected epsilon and tolerance above 0, and 1 round or more."
            )

    def order(
        self, source: Tensor, target: Tensor, generator: Generator | None = None
    ) -> Tensor | None:
        """Choose sources, see `Coupling`."""
        plan = self.plan(source, target)
        columns = plan.T.to(generator.device) if generator else plan.T
        return torch.multinomial(columns, 1, generator=generator)[:, 0]

    def plan(self, source: Tensor, target: Tensor) -> Tensor:
        """Return how much of each source goes to each target, [sources, targets], sums to 1.

        Columns sum to 1 / targets, rows to 1 / sources within the tolerance, or as near as the
        rounds come.

        Args:
            source: [sources, ...].
            target: [targets, ...].
        """
        kernel = -costs_of_all(source, target, self.cost) / self.epsilon
        row_share, column_share = -log(len(source)), -log(len(target))
        columns = kernel.new_zeros(len(target))
        plan = kernel
        for _ in range(self.rounds):
            rows = row_share - (kernel + columns).logsumexp(1)
            columns = column_share - (kernel + rows[:, None]).logsumexp(0)
            plan = kernel + rows[:, None] + columns
            off = (plan.logsumexp(1) - row_share).expm1().abs().amax()
            if off <= self.tolerance:
                break
        return plan.exp()
