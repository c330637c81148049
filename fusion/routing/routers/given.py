"""A router that takes weights from outside, as a retrieval or a classifier finds them."""

from dataclasses import dataclass

from torch import Tensor

from fusion.contract.context import Context
from fusion.routing.context import WEIGHTS, needed
from fusion.routing.contract import Router


@dataclass(frozen=True)
class GivenRouterOptions:
    """It has no options."""


class GivenRouter(Router):
    """Trains nothing and knows nothing: a bank with it runs where the context gives weights."""

    Options = GivenRouterOptions
    reads_features = False
    per_token = False
    title = "As MOS (2024, arXiv 2412.09441), whose retrieval chooses from outside"
    formula = "what the context gives"

    @classmethod
    def count(cls, dim: int, experts: int, heads: int, options: GivenRouterOptions) -> int:
        """Nothing."""
        return 0

    def logits(self, features: Tensor, context: Context | None) -> Tensor:
        """Say that weights are wanted; where they are given, nobody asks."""
        return needed(context, WEIGHTS, "given")
