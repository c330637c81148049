"""Invertible adapters of the input: NICE's coupling of two halves."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fusion.contract.method import Adapter
from fusion.contract.options import check_choice
from fusion.contract.sites import Site
from fusion.methods.bottleneck import ACTIVATIONS


@dataclass(frozen=True)
class InvertibleOptions:
    """Options of invertible adapters.

    Attributes:
        reduction: How much narrower a network is inside than the half that it reads.
        activation: relu, gelu, gelu_tanh, tanh or silu.
    """

    reduction: int = 2
    activation: str = "relu"

    def __post_init__(self):
        check_choice("activation", self.activation, ACTIVATIONS)
        if self.reduction < 1:
            raise ValueError(f"Option 'reduction' is {self.reduction}; expected 1 or more.")


class Invertible(Adapter):
    """Changes what the first block reads, in a way that `inverse` takes back exactly.

    With a bottleneck after each mlp, under the same name, this is AdapterHub's seq_bn_inv. There
    the networks start as N(0, 0.02); here their last layers start at zero. MAD-X takes the change
    back before tied output embeddings: call `inverse` there, since nothing else does.
    """

    Options = InvertibleOptions
    embeddings = True
    where = ("input",)  # or "embed", the word embeddings
    title = "MAD-X (2020, arXiv 2005.00052); NICE (1410.8516)"
    formula = "y1 = x1 + F(x2), y2 = x2 + G(y1)"

    def __init__(self, site: Site, options: InvertibleOptions, shared: nn.Module | None = None):
        super().__init__(site, options)
        self.at_table = site.role == "embed"
        self.activation = ACTIVATIONS[options.activation]
        half, narrow = _widths(site, options)
        self.down_first, self.down_second = nn.Linear(half, narrow), nn.Linear(half, narrow)
        self.up_first, self.up_second = nn.Linear(narrow, half), nn.Linear(narrow, half)
        for up in (self.up_first, self.up_second):
            nn.init.zeros_(up.weight)
            nn.init.zeros_(up.bias)

    @classmethod
    def accepts(cls, site: Site, options: InvertibleOptions) -> bool:
        """Take what splits into halves."""
        return site.role in ("input", "embed") and site.dim_in % 2 == 0

    @classmethod
    def count(cls, site: Site, options: InvertibleOptions) -> int:
        """2 (2 h n + n + h) for halves of h features and networks of n."""
        half, narrow = _widths(site, options)
        return 2 * (2 * half * narrow + narrow + half)

    def before(self, inputs: Tensor, kwargs: dict[str, Any]) -> Tensor:
        """Change what a block reads."""
        return inputs if self.at_table else self.couple(inputs)

    def after(self, inputs: Tensor, outputs: Tensor) -> Tensor:
        """Change what an embedding table returns."""
        return self.couple(outputs) if self.at_table else outputs

    def couple(self, features: Tensor) -> Tensor:
        """Change features, [..., dim]."""
        first, second = features.chunk(2, -1)
        first = first + self._from_second(second)
        second = second + self._from_first(first)
        return torch.cat([first, second], -1)

    def inverse(self, features: Tensor) -> Tensor:
        """Take the change back, [..., dim]."""
        first, second = features.chunk(2, -1)
        second = second - self._from_first(first)
        first = first - self._from_second(second)
        return torch.cat([first, second], -1)

    def _from_second(self, second: Tensor) -> Tensor:
        return self.up_first(self.activation(self.down_first(second)))

    def _from_first(self, first: Tensor) -> Tensor:
        return self.up_second(self.activation(self.down_second(first)))


def _widths(site: Site, options: InvertibleOptions) -> tuple[int, int]:
    half = site.dim_in // 2
    return half, max(1, half // options.reduction)
