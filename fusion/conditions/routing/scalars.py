"""A router that reads nothing: a learned number for each expert."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.contract.context import Context
from fusion.routing.contract import Router


@dataclass(frozen=True)
class ScalarOptions:
    """Options of routers that read nothing: there are none."""


class ScalarRouter(Router):
    """Scores each expert by a number of its own, whatever is read; all begin alike.

    Attributes:
        scores: [experts].
    """

    Options = ScalarOptions
    reads_features = False
    axes = {"scores": 0}
    title = "Ctrl-Adapter (2024, arXiv 2404.09967), its simple weights"
    formula = "s"

    def __init__(self, dim: int, experts: int, heads: int, options: ScalarOptions) -> None:
        super().__init__(dim, experts, heads, options)
        self.scores = nn.Parameter(torch.zeros(experts))

    @classmethod
    def count(cls, dim: int, experts: int, heads: int, options: ScalarOptions) -> int:
        """E."""
        return experts

    def logits(self, features: Tensor, context: Context | None) -> Tensor:
        """Return the numbers for each row or token of what could be read."""
        return self.scores.expand(*features.shape[:-1], -1)
