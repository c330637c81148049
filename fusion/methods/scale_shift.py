"""SSF: each linear layer and norm is scaled and shifted, feature by feature."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.contract.method import Adapter, Delta
from fusion.contract.sites import Site


@dataclass(frozen=True)
class ScaleShiftOptions:
    """Scaling and shifting has no options."""


class ScaleShift(Adapter):
    """A gain and a shift of what a module returns.

    Both start as the identity; the paper starts them at N(1, 0.02) and N(0, 0.02). A norm without a
    bias, as RMSNorm, gets a gain alone, since a shift could not be merged into it.
    """

    Options = ScaleShiftOptions
    where = ("q", "k", "v", "o", "fc1", "fc2", "norm")
    merges = True
    float_only = "all that it trains is vectors"
    title = "SSF (2022, arXiv 2210.08823)"
    formula = "y = gamma * f(x) + beta"

    def __init__(self, site: Site, options: ScaleShiftOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.gain = nn.Parameter(torch.ones(site.dim_out))
        self.shift = nn.Parameter(torch.zeros(site.dim_out)) if can_shift(site) else None

    @classmethod
    def count(cls, site: Site, options: ScaleShiftOptions) -> int:
        """Twice the outputs; once at a norm without a bias."""
        return (2 if can_shift(site) else 1) * site.dim_out

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Scale and shift."""
        scaled = outputs * self.gain
        return scaled if self.shift is None else scaled + self.shift

    def delta(self, module: nn.Module) -> Delta:
        """Scale the rows of the weight, and scale and shift the bias."""
        weight, bias = module._parameters["weight"], module._parameters.get("bias")
        assert weight is not None
        more = self.gain - 1
        weight_change = (more[:, None] if weight.ndim == 2 else more) * weight
        if bias is None or self.shift is None:
            return Delta(weight_change, self.shift)
        return Delta(weight_change, more * bias + self.shift)


def can_shift(site: Site) -> bool:
    """Tell whether a shift can be merged: a linear layer takes a bias, a norm only has one."""
    bias = getattr(site.module, "bias", None)
    return isinstance(site.module, nn.Linear) or bias is not None
