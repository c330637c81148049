"""Hydra: low-rank changes in parallel to and after a linear layer."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.contract.method import Adapter, Delta
from fusion.contract.sites import Site


@dataclass(frozen=True)
class HydraOptions:
    """Options of Hydra.

    Attributes:
        rank: Rank of the change beside the layer, which reads the layer's input; 1 or more.
        sequential_rank: Rank of the change after the layer, which reads the layer's output; 1 or
            more.
        scale: Factor of both changes; 0 adds nothing.
        bias: Whether the four layers have biases, as for vision.
    """

    rank: int = 2
    sequential_rank: int = 2
    scale: float = 1.0
    bias: bool = False


class Hydra(Adapter):
    """Two low-rank changes of a linear layer; both merge."""

    Options = HydraOptions
    where = ("fc2",)
    merges = True
    title = "Hydra (2023, arXiv 2309.06922)"
    formula = "y = y0 + s B_p A_p x + s B_s A_s y0, y0 = W x + b"

    def __init__(self, site: Site, options: HydraOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.scale = options.scale
        self.down = nn.Linear(site.dim_in, options.rank, bias=options.bias)
        self.up = nn.Linear(options.rank, site.dim_out, bias=options.bias)
        self.later_down = nn.Linear(site.dim_out, options.sequential_rank, bias=options.bias)
        self.later_up = nn.Linear(options.sequential_rank, site.dim_out, bias=options.bias)
        for linear in (self.down, self.later_down):
            nn.init.xavier_uniform_(linear.weight)
        for linear in (self.up, self.later_up):
            nn.init.zeros_(linear.weight)
        if options.bias:
            for linear in (self.down, self.up, self.later_down, self.later_up):
                nn.init.zeros_(linear.bias)

    @classmethod
    def count(cls, site: Site, options: HydraOptions) -> int:
        """r_p (in + out) + 2 r_s out, and with biases r_p + r_s + 2 out."""
        ranks = options.rank, options.sequential_rank
        weights = ranks[0] * (site.dim_in + site.dim_out) + 2 * ranks[1] * site.dim_out
        return weights + (sum(ranks) + 2 * site.dim_out if options.bias else 0)

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add both changes."""
        return outputs + self.scale * (
            self.up(self.down(inputs)) + self.later_up(self.later_down(outputs))
        )

    def delta(self, module: nn.Module) -> Delta:
        """Push the layer's own weight and bias through the sequential change."""
        assert isinstance(module, nn.Linear)
        later = self.later_up.weight @ self.later_down.weight
        weight = self.up.weight @ self.down.weight + later @ module.weight
        if module.bias is None and self.down.bias is None:
            return Delta(self.scale * weight)  # a layer without bias is given none
        bias = torch.zeros(module.out_features, device=weight.device, dtype=weight.dtype)
        if module.bias is not None:
            bias = bias + later @ module.bias
        for down, up in ((self.down, self.up), (self.later_down, self.later_up)):
            if down.bias is not None:
                bias = bias + up.weight @ down.bias + up.bias
        return Delta(self.scale * weight, self.scale * bias)
