"""Experts that are LoRAs in heads, mixed before they are applied, as in Poly and MHR."""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor, nn

from fusion.contract.sites import Site
from fusion.routing.contract import ExpertForm, Routing


@dataclass(frozen=True)
class MixedLoraOptions:
    """Options of LoRAs that are mixed in their parameters.

    Attributes:
        rank: Columns of each A and rows of each B, and of the mixture; 1 or more.
        heads: Parts that what is read and what is returned are cut into, each with weights of its
            own: 1 in Poly, more in MHR. Both widths are multiples of it.
    """

    rank: int = 8
    heads: int = 1

    def __post_init__(self):
        if self.heads < 1:
            raise ValueError(f"Option 'heads' is {self.heads}; expected 1 or more.")


class MixedLora(ExpertForm):
    """A and B of each skill, by head; B starts at zero, and what is added is scaled by 1 / rank.

    A and B are mixed apart, so what is added has products of A of one skill and B of another: it is
    one LoRA for each row, whatever the number of skills.

    Attributes:
        down: A, [heads, experts, dim_in / heads, rank].
        up: B, [heads, experts, rank, dim_out / heads].
    """

    Options = MixedLoraOptions
    per_token = False
    by_head = True
    axes = {"down": 1, "up": 1}
    title = "Polytropon (2022, arXiv 2202.13914); multi-head routing (2022, arXiv 2211.03831)"
    formula = "(1 / r) [sum_e w_he B_he]_h [sum_e w_he A_he]_h x"

    def __init__(
        self, site: Site, experts: int, options: MixedLoraOptions, shared: nn.Module | None = None
    ) -> None:
        super().__init__(site, experts, options)
        heads, rank = options.heads, options.rank
        _check_heads(site, heads)
        dim = site.dim_in // heads
        self.down = nn.Parameter(torch.empty(heads, experts, dim, rank))
        self.up = nn.Parameter(torch.zeros(heads, experts, rank, site.dim_out // heads))
        nn.init.uniform_(self.down, -1 / sqrt(dim), 1 / sqrt(dim))

    @classmethod
    def heads(cls, options: MixedLoraOptions) -> int:
        """Heads of A and B."""
        return options.heads

    @classmethod
    def count(cls, site: Site, experts: int, options: MixedLoraOptions) -> int:
        """E r (d_in + d_out), whatever the heads."""
        return experts * options.rank * (site.dim_in + site.dim_out)

    def forward(self, inputs: Tensor, routing: Routing) -> Tensor:
        """Mix A and B for each row, and apply them."""
        down, up = self.mixed(routing.weights)
        return inputs @ down @ up / down.shape[-1]

    def mixed(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Mix A and B.

        Args:
            weights: [batch, heads, experts].

        Returns:
            [batch, dim_in, rank] and [batch, rank, dim_out]; not scaled.
        """
        down = torch.einsum("bhe,hedr->bhdr", weights, self.down)
        up = torch.einsum("bhe,herd->brhd", weights, self.up)
        return down.flatten(1, 2), up.flatten(2)


def _check_heads(site: Site, heads: int) -> None:
    if site.dim_in % heads or site.dim_out % heads:
        raise ValueError(
            f"{site.name} reads {site.dim_in} features and returns {site.dim_out}; expected "
            f"multiples of the {heads} heads that option 'heads' asks for."
        )
