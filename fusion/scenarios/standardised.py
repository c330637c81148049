"""Features on one scale, as a linear layer that is fitted with a ridge wants them."""

import torch
from torch import Tensor, nn

SMALLEST = 1e-4  # spread of a feature that does not vary


class Standardised(nn.Module):
    """Knows mean and spread of features that it has seen.

    Args:
        features: How many.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))

    def fit_scale(self, features: Tensor) -> Tensor:
        """Learn mean and spread, and return the features with mean 0 and spread 1, float64."""
        rows = features.double()
        self.mean.copy_(rows.mean(0))
        self.scale.copy_(rows.std(0).clamp_min(SMALLEST))
        return self.standardise(rows)

    def standardise(self, features: Tensor) -> Tensor:
        """Put features on the scale that was learnt, [batch, features] -> the same."""
        return (features - self.mean) / self.scale
