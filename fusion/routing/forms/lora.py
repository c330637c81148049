"""Experts that are LoRAs, whose outputs are added up."""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor, nn

from fusion.contract.sites import Site
from fusion.routing.contract import ExpertForm, Routing
from fusion.routing.kernels import lora_of_rows, lora_of_tokens


@dataclass(frozen=True)
class LoraExpertOptions:
    """Options of LoRA experts.

    Attributes:
        rank: Rows of each A and columns of each B; 1 or more.
        alpha: What an expert adds is scaled by alpha / rank, or with `rank_stabilised` by alpha /
            sqrt(rank).
        rank_stabilised: rsLoRA.
    """

    rank: int = 8
    alpha: float = 8.0
    rank_stabilised: bool = False

    @property
    def scale(self) -> float:
        """The factor of what an expert adds."""
        return self.alpha / (sqrt(self.rank) if self.rank_stabilised else self.rank)


class LoraExperts(ExpertForm):
    """A and B of each expert; B starts at zero.

    What they add is summed, so an expert alone is just its LoRA: ready-made ones can be put in.

    Attributes:
        down: A of each, [experts, rank, dim_in].
        up: B of each, transposed, [experts, rank, dim_out].
    """

    Options = LoraExpertOptions
    axes = {"down": 0, "up": 0}
    title = "LoRA (2021, arXiv 2106.09685)"
    formula = "sum_e w_e (alpha / r) B_e A_e x"

    def __init__(
        self,
        site: Site,
        experts: int,
        options: LoraExpertOptions,
        shared: nn.Module | None = None,
    ) -> None:
        super().__init__(site, experts, options)
        self.scale = options.scale
        self.down = nn.Parameter(torch.empty(experts, options.rank, site.dim_in))
        self.up = nn.Parameter(torch.zeros(experts, options.rank, site.dim_out))
        nn.init.uniform_(self.down, -1 / sqrt(site.dim_in), 1 / sqrt(site.dim_in))

    @classmethod
    def count(cls, site: Site, experts: int, options: LoraExpertOptions) -> int:
        """E r (d_in + d_out)."""
        return experts * options.rank * (site.dim_in + site.dim_out)

    def forward(self, inputs: Tensor, routing: Routing) -> Tensor:
        """Add up what the experts make of each token."""
        weights = self.scale * routing.weights
        if not routing.per_token:
            return lora_of_rows(inputs, self.down, self.up.mT, weights)
        if routing.chosen is not None and routing.chosen < len(self.down):
            return lora_of_tokens(inputs, self.down, self.up.mT, weights)
        narrow = (
            inputs @ self.down.flatten(0, 1).T
        )  # all have weight: [batch, tokens, experts * rank]
        narrow = narrow.unflatten(-1, self.down.shape[:2]) * weights[..., None]
        return narrow.flatten(2) @ self.up.flatten(0, 1)
