"""How much a pair counts: all alike, by what it costs, or by how much noise there is."""

from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from modalities.diffusion.measure.contract import Pairs
from modalities.diffusion.measure.costs import SQUARED, check_cost, costs_of_pairs


@dataclass(frozen=True)
class Ones:
    """All pairs alike."""

    @property
    def normalised(self) -> bool:
        """Whether weights of a batch are divided by their mean, which is 1."""
        return False

    def log_weights(self, pairs: Pairs) -> Tensor:
        """Return logarithms of weights, see `PairWeight`."""
        return torch.zeros_like(pairs.levels, dtype=torch.float32)


@dataclass(frozen=True)
class Gibbs:
    """exp(-c / epsilon) for a pair that costs c: what is near is learnt, and no pairs are sought.

    What is learnt is entropic optimal transport, but for the ends, which are tilted: where epsilon
    is small, sources and targets that are far from everything hardly count. A small effective
    share tells of that.

    Attributes:
        epsilon: Above 0, in units of the cost; the larger, the more alike pairs count.
        cost: "squared", the squared distance of textbooks, or "norm", the distance itself.
        normalised: Whether weights of a batch are divided by their mean. A batch that is worked
            through in parts, or by several processes, is divided by each part's own.

    Raises:
        ValueError: Epsilon is not above 0 or not finite, or no cost is called so.

    Source:
        Weighted conditional flow matching, arXiv 2507.22270, which takes the norm for pictures.
    """

    epsilon: float = 10.0
    cost: str = SQUARED
    normalised: bool = True

    def __post_init__(self):
        if not 0 < self.epsilon < inf:
            raise ValueError(f"epsilon is {self.epsilon}; expected above 0 and finite.")
        check_cost(self.cost)

    def log_weights(self, pairs: Pairs) -> Tensor:
        """Return logarithms of weights, see `PairWeight`."""
        return -costs_of_pairs(pairs.source, pairs.target, self.cost) / self.epsilon


@dataclass(frozen=True)
class MinSnr:
    """The error of the target by the ratio of signal to noise, up to gamma.

    That is min(SNR, gamma) / SNR for a model that tells the noise, min(SNR, gamma) / (SNR + 1) for
    one that tells the velocity of diffusion, and min(SNR, gamma) s^2 for one that tells that of a
    flow, at the level s.

    Attributes:
        gamma: Above 0; infinite for the error of the noise, whatever is told.

    Raises:
        ValueError: It is not above 0.

    Source:
        Min-SNR, arXiv 2303.09556.
    """

    gamma: float = 5.0

    def __post_init__(self):
        if not self.gamma > 0:
            raise ValueError(f"gamma is {self.gamma}; expected above 0.")

    @property
    def normalised(self) -> bool:
        """Whether weights of a batch are divided by their mean: not in the paper."""
        return False

    def log_weights(self, pairs: Pairs) -> Tensor:
        """Return logarithms of weights, see `PairWeight`."""
        weights = pairs.path.source_gain(pairs.levels)
        if self.gamma < inf:
            weights = weights.minimum(self.gamma * pairs.path.target_gain(pairs.levels))
        return weights.log()


def weigh(errors: Tensor, logs: Tensor, normalised: bool) -> dict[str, Tensor]:
    """Put the errors of rows together.

    Args:
        errors: [rows].
        logs: Logarithms of their weights, [rows].
        normalised: Whether weights are divided by their mean.

    Returns:
        Scalars: "loss", the mean of weighted errors; "unweighted_loss", that of errors as they are;
        "effective_share", the effective sample size by the rows: 1 where all weights are alike, and
        1 / rows where one row has all of them.
    """
    rows = len(errors)
    weights = logs.softmax(0) * rows if normalised else logs.exp()
    share = (2 * logs.logsumexp(0) - (2 * logs).logsumexp(0)).exp() / rows
    return {
        "loss": (weights.to(errors) * errors).sum() / rows,
        "unweighted_loss": errors.detach().mean(),
        "effective_share": share.nan_to_num(0.0),
    }
