"""A moving average of the weights that are trained."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """An exponential moving average of the trained weights of a module, kept beside them.

    It begins as the weights that the training began with. Buffers, such as the statistics of a
    batch norm, are not averaged.

    Args:
        module: What requires a gradient in it is averaged.
        decay: Share of the average that a step leaves, 0 to below 1; 0 for none at all: then the
            weights themselves stand for it, and nothing is kept.
    """

    def __init__(self, module: nn.Module, decay: float):
        self.decay = decay
        named = module.named_parameters() if decay else ()
        self.trained = {name: p for name, p in named if p.requires_grad}
        self.weights = {name: p.detach().clone() for name, p in self.trained.items()}

    @torch.no_grad()
    def follow(self) -> None:
        """Take the weights of one more step in."""
        for name, parameter in self.trained.items():
            self.weights[name].lerp_(parameter, 1 - self.decay)

    @torch.no_grad()
    def settle(self) -> None:
        """Make the average the weights of the module."""
        for name, parameter in self.trained.items():
            parameter.copy_(self.weights[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the module use the average while the block runs."""
        kept = {name: parameter.detach().clone() for name, parameter in self.trained.items()}
        self.settle()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, parameter in self.trained.items():
                    parameter.copy_(kept[name])

    def load(self, weights: dict[str, Tensor]) -> None:
        """Go on with the average of an interrupted training, from its `weights`."""
        for name, value in weights.items():
            self.weights[name].copy_(value)
