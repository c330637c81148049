"""Bias tuning of LLaMA-Adapter V2: a scale and a bias at every linear layer."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fusion.contract.method import Adapter, Delta
from fusion.contract.options import check_choice
from fusion.contract.sites import Site


@dataclass(frozen=True)
class BiasScaleOptions:
    """Options of bias tuning.

    Attributes:
        form: "input" scales what the layer reads, as the paper's code and count; "output" what it
            returns, as the paper's equation 1.
    """

    form: str = "input"

    def __post_init__(self):
        check_choice("form", self.form, ("input", "output"))


class BiasScale(Adapter):
    """A scale and a bias of a linear layer.

    The paper trains the norms too: attach "norm_tuning" under the same name. Where the mlp is
    gated, give `where` with "gate". In the form "input" other adapters of the layer read what is
    scaled, so that two adapters at once multiply their scales.
    """

    Options = BiasScaleOptions
    where = ("q", "k", "v", "o", "fc1", "fc2")
    merges = True
    float_only = "all that it trains is vectors"
    title = "LLaMA-Adapter V2 (2023, arXiv 2304.15010)"
    formula = "y = W (s * x) + b (input) or s * (W x + b) (output)"

    def __init__(self, site: Site, options: BiasScaleOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.form = options.form
        self.scale = nn.Parameter(torch.ones(self.scaled(site, options)))
        self.bias = nn.Parameter(torch.zeros(site.dim_out))

    @staticmethod
    def scaled(site: Site, options: BiasScaleOptions) -> int:
        """Return how many features are scaled."""
        return site.dim_in if options.form == "input" else site.dim_out

    @classmethod
    def accepts(cls, site: Site, options: BiasScaleOptions) -> bool:
        """Take linear layers."""
        return isinstance(site.module, nn.Linear)

    @classmethod
    def scales_others(cls, options: BiasScaleOptions) -> bool:
        """In the form "input" the others read what it has scaled."""
        return options.form == "input"

    @classmethod
    def count(cls, site: Site, options: BiasScaleOptions) -> int:
        """Scale and bias: in + out, or 2 out."""
        return cls.scaled(site, options) + site.dim_out

    def before(self, inputs: Tensor, kwargs: dict[str, Any]) -> Tensor:
        """Scale, in the form "input"."""
        return inputs * self.scale if self.form == "input" else inputs

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Add the bias, and scale in the form "output"."""
        shifted = outputs + self.bias
        return shifted if self.form == "input" else shifted * self.scale

    def delta(self, module: nn.Module) -> Delta:
        """Scale the columns or the rows of the weight; the layer's own bias counts as output."""
        assert isinstance(module, nn.Linear)
        more = self.scale - 1
        if self.form == "input":
            return Delta(module.weight * more, self.bias)
        bias = self.bias * self.scale
        own = 0 if module.bias is None else more * module.bias
        return Delta(module.weight * more[:, None], bias + own)
