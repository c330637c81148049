"""BitFit: a change of the biases that a model has, and of nothing else."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.contract.method import Adapter, Delta
from fusion.contract.sites import Site


@dataclass(frozen=True)
class BitFitOptions:
    """BitFit has no options."""


class BitFit(Adapter):
    """A trained change of each bias; modules without one are passed over.

    Convolutions are left out unless `where` names them, as PETL-AST leaves out the patch
    convolution of AST, ViT and CLIP.
    """

    Options = BitFitOptions
    convolutions = True
    where = ("q", "k", "v", "o", "fc1", "fc2", "norm")
    merges = True
    float_only = "all that it trains is vectors"
    title = "BitFit (2021, arXiv 2106.10199)"
    formula = "y = f(x) + b"

    def __init__(self, site: Site, options: BitFitOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.bias = nn.Parameter(torch.zeros(site.dim_out))
        self.places = site.module.weight.ndim - 2 if site.convolves else 0  # type: ignore[union-attr,operator]

    @classmethod
    def accepts(cls, site: Site, options: BitFitOptions) -> bool:
        """Take the modules that have a bias."""
        return getattr(site.module, "bias", None) is not None

    @classmethod
    def count(cls, site: Site, options: BitFitOptions) -> int:
        """As many as outputs."""
        return site.dim_out

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add the change."""
        return outputs + self.bias.view(-1, *[1] * self.places)  # of a convolution before places

    def delta(self, module: nn.Module) -> Delta:
        """Return the change itself."""
        return Delta(bias=self.bias)
