"""Places between frozen parts that change nothing, where adapters can be put by name."""

import torch
from torch import Tensor, nn


class Tap(nn.Module):
    """Hands on what it is given.

    Args:
        dim: Features on its last axis, which adapters are built for.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim

    def forward(self, features: Tensor) -> Tensor:
        """Return the features, [..., dim], as they are."""
        return features


class Skip(Tap):
    """A way past frozen parts that is closed: it adds nothing until an adapter opens it."""

    def forward(self, features: Tensor) -> Tensor:
        """Return zeros in the shape of the features, [..., dim]."""
        return torch.zeros_like(features)
