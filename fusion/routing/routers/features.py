"""A router that reads what its site reads: one linear layer, for tokens or whole samples."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.contract.context import Context
from fusion.contract.options import check_choice
from fusion.routing.contract import Router


@dataclass(frozen=True)
class FeatureRouterOptions:
    """Options of linear routers.

    Attributes:
        bias: Whether it has one.
        router_start: Where the matrix starts: "normal" with N(0, std), "uniform" as torch's linear
            layers, or "zeros", which weighs all experts alike.
        std: Standard deviation of "normal".
    """

    bias: bool = False
    router_start: str = "uniform"
    std: float = 1.0

    def __post_init__(self):
        check_choice("router_start", self.router_start, ("normal", "uniform", "zeros"))


class FeatureRouter(Router):
    """A row of a matrix for each expert.

    Attributes:
        gate: [experts, dim].
    """

    Options = FeatureRouterOptions
    axes = {"gate": 0, "bias": 0}
    title = (
        "As MeteoRA (2405.13053), ReMix (2603.10160), LoRA-Mixer (2507.00029), SEMA (2403.18886)"
    )
    formula = "G x (+ b)"

    def __init__(self, dim: int, experts: int, heads: int, options: FeatureRouterOptions) -> None:
        super().__init__(dim, experts, heads, options)
        if heads > 1:
            raise ValueError(
                f"The router 'features' weighs whole experts, and these have {heads} heads; take "
                "the router 'tasks', or one head."
            )
        self.gate = nn.Parameter(torch.zeros(experts, dim))
        self.bias = nn.Parameter(torch.zeros(experts)) if options.bias else None
        if options.router_start == "normal":
            nn.init.normal_(self.gate, std=options.std)
        elif options.router_start == "uniform":
            nn.init.uniform_(self.gate, -(dim**-0.5), dim**-0.5)

    @classmethod
    def count(cls, dim: int, experts: int, heads: int, options: FeatureRouterOptions) -> int:
        """E d, and with biases E."""
        return experts * (dim + options.bias)

    def logits(self, features: Tensor, context: Context | None) -> Tensor:
        """Score the experts by what is read."""
        return functional.linear(features, self.gate, self.bias)
