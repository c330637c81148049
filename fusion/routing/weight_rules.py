"""Rules that make weights of experts out of a router's logits.

All give [..., experts] in the logits' dtype, reckoned in float32 where that is finer. Of experts
with equal logits the first is taken. An expert at -inf is never given weight, and a row with a NaN
gets NaN everywhere, as a fault upstream must not look like a choice.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from fusion.routing.subsets import check_count, draw_subset, highest, log_probability_of_order

SMALLEST_SUM = 1e-12  # of a row that is divided by its sum, as in PEFT's Poly


class WeightRule(Protocol):
    """What makes weights of a router's logits."""

    def __call__(
        self, logits: Tensor, training: bool, generator: Generator | None = None
    ) -> Tensor:
        """Weigh experts.

        Args:
            logits: [..., experts].
            training: Whether a rule that draws by chance in training does so.
            generator: Where chance comes from; None for torch's own.

        Returns:
            Weights, [..., experts].
        """
        ...


@dataclass(frozen=True)
class RelaxedBernoulli:
    """Every expert on or off by itself, then each row divided by its sum.

    In training a reparameterised sample of the relaxed (concrete) distribution, else
    sigmoid(logits), whatever the temperature.

    Attributes:
        temperature: How soft the sample is, above 0; near 0 it is all or nothing.
        drawn: Whether training draws at all; Microsoft's later code does not.

    Raises:
        ValueError: The temperature is 0 or below.

    Source:
        Polytropon, arXiv 2202.13914; PEFT's Poly.
    """

    temperature: float = 1.0
    drawn: bool = True

    def __post_init__(self):
        _check_temperature(self.temperature)

    def __call__(
        self, logits: Tensor, training: bool, generator: Generator | None = None
    ) -> Tensor:
        """Weigh experts, see `WeightRule`."""
        fine = _fine(logits)
        if training and self.drawn:
            device = fine.device if generator is None else generator.device
            chance = torch.rand(fine.shape, dtype=fine.dtype, device=device, generator=generator)
            chance = chance.to(fine.device).clamp_min(torch.finfo(fine.dtype).tiny)
            fine = (fine + chance.log() - torch.log1p(-chance)) / self.temperature
        weights = fine.sigmoid()
        return (weights / (weights.sum(-1, keepdim=True) + SMALLEST_SUM)).to(logits.dtype)


@dataclass(frozen=True)
class SoftmaxTopK:
    """Softmax over all experts, of which the k highest are kept.

    Attributes:
        k: How many are kept, 1 or more; None for all, which is a plain softmax.
        temperature: What logits are divided by, above 0.
        renormalised: Whether what is kept is divided by its sum. Without, as the pyramid of experts
            has it, the choice of k leaves the weights as they are.
        dense_in_training: Whether all are kept in training, as LoRA-Mixer does.

    Raises:
        ValueError: k is below 1 or, when called, above the experts; the temperature is 0 or below.

    Source:
        LoRA-Mixer, arXiv 2507.00029; Expert Pyramid Tuning, arXiv 2603.12577.
    """

    k: int | None = None
    temperature: float = 1.0
    renormalised: bool = True
    dense_in_training: bool = False

    def __post_init__(self):
        _check_temperature(self.temperature)
        _check_k(self.k)

    def __call__(
        self, logits: Tensor, training: bool, generator: Generator | None = None
    ) -> Tensor:
        """Weigh experts, see `WeightRule`."""
        if self.k is not None:
            check_count(self.k, logits.shape[-1])
        fine = _fine(logits) / self.temperature
        if self.k is None or (training and self.dense_in_training):
            return fine.softmax(-1).masked_fill(fine == -torch.inf, 0.0).to(logits.dtype)
        if self.renormalised:  # the kept ones' own softmax is just that, and does not underflow
            return _softmax_of_highest(fine, self.k).to(logits.dtype)
        ids = highest(fine, self.k)
        return _at(fine, ids, fine.softmax(-1).gather(-1, ids)).to(logits.dtype)


@dataclass(frozen=True)
class TopKSoftmax:
    """The k highest, then a softmax over these alone.

    At the same temperature it equals `SoftmaxTopK`; MeteoRA trains at 1 and then chooses a high one
    for texts that mix several tasks, so that the k are weighed nearly alike.

    Attributes:
        k: How many are kept, 1 or more.
        temperature: What the kept logits are divided by where nobody trains, above 0; training
            takes 1.

    Raises:
        ValueError: k is below 1 or, when called, above the experts; the temperature is 0 or below.

    Source:
        MeteoRA, arXiv 2405.13053.
    """

    k: int = 2
    temperature: float = 1.0

    def __post_init__(self):
        _check_temperature(self.temperature)
        _check_k(self.k)

    def __call__(
        self, logits: Tensor, training: bool, generator: Generator | None = None
    ) -> Tensor:
        """Weigh experts, see `WeightRule`."""
        fine = _fine(logits) if training else _fine(logits) / self.temperature
        return _softmax_of_highest(fine, self.k).to(logits.dtype)


@dataclass(frozen=True, eq=False)
class Draw:
    """Experts that were drawn.

    Attributes:
        ids: Their numbers in the order of drawing, [..., k].
        weights: [..., experts], constant where drawn and 0 elsewhere.
        log_probability: That they are drawn in this order, [...], float32 or finer; its gradient
            goes to the logits, that of `weights` does not.
    """

    ids: Tensor
    weights: Tensor
    log_probability: Tensor


@dataclass(frozen=True)
class ConstantSubset:
    """One constant weight for k distinct experts: drawn in training, else the k highest.

    No gradient reaches the logits through the weights; a policy gradient takes `draw`.

    Attributes:
        k: How many, 1 or more.
        weight: What each of them gets; None for 1 / k. ReMix has 2 / (k rank), or 2 / sqrt(k rank).

    Raises:
        ValueError: k is below 1 or, when called, above the experts.

    Source:
        ReMix, arXiv 2603.10160.
    """

    k: int = 2
    weight: float | None = None

    def __post_init__(self):
        _check_k(self.k)

    def __call__(
        self, logits: Tensor, training: bool, generator: Generator | None = None
    ) -> Tensor:
        """Weigh experts, see `WeightRule`."""
        if training:
            return self._weigh(logits, draw_subset(_fine(logits), self.k, generator))
        return self._weigh(logits, highest(logits, self.k))

    def draw(self, logits: Tensor, generator: Generator | None = None) -> Draw:
        """Draw as training does, and say how probable it was.

        Args:
            logits: [..., experts], of which k or more are above -inf.
            generator: Where chance comes from; None for torch's own.
        """
        ids = draw_subset(_fine(logits), self.k, generator)
        return Draw(ids, self._weigh(logits, ids), log_probability_of_order(logits, ids))

    def _weigh(self, logits: Tensor, ids: Tensor) -> Tensor:
        weight = 1 / self.k if self.weight is None else self.weight
        return _at(logits, ids, logits.new_full(ids.shape, weight))


@dataclass(frozen=True)
class OneHot:
    """All weight for the highest; no gradient reaches the logits.

    Source:
        MOS, arXiv 2412.09441.
    """

    def __call__(
        self, logits: Tensor, training: bool, generator: Generator | None = None
    ) -> Tensor:
        """Weigh experts, see `WeightRule`."""
        ids = highest(logits, 1)
        return _at(logits, ids, logits.new_ones(ids.shape))


def _softmax_of_highest(logits: Tensor, k: int) -> Tensor:
    """Softmax over the k highest, 0 elsewhere, [..., experts] -> the same."""
    ids = highest(logits, k)
    return _at(logits, ids, logits.gather(-1, ids).softmax(-1))


def _at(logits: Tensor, ids: Tensor, values: Tensor) -> Tensor:
    """Put values at the experts of `ids`, both [..., k]; 0 elsewhere, and at experts of -inf.

    A NaN comes first among the highest, so that the first of `ids` tells whether the row has one.
    """
    chosen = logits.gather(-1, ids).detach()
    nothing = torch.zeros_like(chosen[..., :1])
    nothing = nothing.masked_fill(chosen[..., :1].isnan(), torch.nan)  # [..., 1]
    values = values.masked_fill(chosen == -torch.inf, 0.0) + nothing
    return nothing.expand_as(logits).scatter(-1, ids, values)


def _fine(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _check_temperature(temperature: float) -> None:
    if not temperature > 0:
        raise ValueError(f"The temperature is {temperature}; expected a number above 0.")


def _check_k(k: int | None) -> None:
    if k is not None and k < 1:
        raise ValueError(f"k is {k}; expected 1 expert or more.")
