"""Norm tuning: a change of the gains and biases of the normalisations."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from fusion.contract.method import Adapter, Delta
from fusion.contract.sites import Site


@dataclass(frozen=True)
class Normalisation:
    """What a norm computes, but for its own gain and bias.

    Attributes:
        shape: Sizes of the last axes, which are normalised together: the gain has this shape.
        eps: Added to the variance; None for torch's own.
        centred: LayerNorm takes the mean away, RMSNorm does not.
    """

    shape: tuple[int, ...]
    eps: float | None
    centred: bool

    def __call__(self, inputs: Tensor, gain: Tensor, bias: Tensor | None) -> Tensor:
        """Normalise, with another gain and bias.

        Args:
            inputs: [..., dim].
            gain: [dim].
            bias: [dim], or None; RMSNorm has none.
        """
        if self.centred:
            assert self.eps is not None
            return functional.layer_norm(inputs, self.shape, gain, bias, self.eps)
        return functional.rms_norm(inputs, self.shape, gain, self.eps)


def normalisation_of(module: nn.Module) -> Normalisation | None:
    """Read how a norm computes; None for what is neither LayerNorm nor RMSNorm."""
    if isinstance(module, nn.LayerNorm):
        return Normalisation(module.normalized_shape, module.eps, centred=True)
    weight = getattr(module, "weight", None)
    # T5LayerNorm is an RMSNorm in all but its name.
    named = type(module).__name__.endswith(("RMSNorm", "T5LayerNorm"))
    if not named or not isinstance(weight, Tensor) or getattr(module, "bias", None) is not None:
        return None
    eps = getattr(module, "variance_epsilon", getattr(module, "eps", None))
    return Normalisation(tuple(weight.shape), eps, centred=False)


@dataclass(frozen=True)
class NormTuningOptions:
    """Norm tuning has no options."""


class NormTuning(Adapter):
    """A trained change of gain and bias.

    All norms by default; only those beside some sub-layers: give their names as `where`. With
    another method under the same name, it is what "with the norms unfrozen" means in papers.
    """

    Options = NormTuningOptions
    where = ("norm",)
    merges = True
    float_only = "all that it trains is vectors"
    title = "LN-Tuning (2022, arXiv 2211.08682)"
    formula = "y = f(x) + g * normalise(x) + b"

    def __init__(self, site: Site, options: NormTuningOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        normalisation = normalisation_of(site.module)
        assert normalisation is not None
        self.normalisation = normalisation
        self.gain = nn.Parameter(torch.zeros(normalisation.shape))
        has_bias = getattr(site.module, "bias", None) is not None
        self.bias = nn.Parameter(torch.zeros(normalisation.shape)) if has_bias else None

    @classmethod
    def accepts(cls, site: Site, options: NormTuningOptions) -> bool:
        """Take LayerNorm and RMSNorm."""
        return normalisation_of(site.module) is not None

    @classmethod
    def count(cls, site: Site, options: NormTuningOptions) -> int:
        """Gain, and bias where the norm has one: 2 d or d."""
        return sum(parameter.numel() for parameter in site.module.parameters(recurse=False))

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Normalise again, with the change as gain and bias."""
        return outputs + self.normalisation(inputs, self.gain, self.bias)

    def delta(self, module: nn.Module) -> Delta:
        """Return the change itself."""
        return Delta(self.gain, self.bias)
