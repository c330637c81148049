"""Whether sound or a face is like what was trained on, by what an encoder makes of it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class DomainOptions:
    """Options of the check.

    Attributes:
        dim: Features of an encoder's state: 384 for the sound of Whisper tiny.
        directions: How many principal directions of the training data are kept: 1 to 2 dim - 1.
        residual: How far a window may lie outside of these directions, above 0.
        doubt: How unsure the decoder may be: mean negative log-probability of a token. Of no
            use where nothing is decoded.
    """

    dim: int = 384
    directions: int = 64
    residual: float = 1.0
    doubt: float = 0.25

    def __post_init__(self):
        if not 0 < self.directions < 2 * self.dim:
            raise ValueError(
                f"Option 'directions' is {self.directions}; expected 1 to {2 * self.dim - 1}."
            )
        if min(self.residual, self.doubt) <= 0:
            raise ValueError(
                f"Options 'residual' and 'doubt' are {self.residual} and {self.doubt}; expected "
                "numbers above 0."
            )


class DomainCheck(nn.Module):
    """Compares mean and spread of an encoder's features with those of training data.

    What counts is the part that no principal direction of the training data explains. Adapters
    that learnt to hear through noise keep it small in noise too; other speech makes it large.

    Args:
        options: Widths and limits; None takes the defaults.
    """

    mean: Tensor
    basis: Tensor

    def __init__(self, options: DomainOptions | None = None):
        super().__init__()
        self.options = options or DomainOptions()
        self.register_buffer("mean", torch.zeros(2 * self.options.dim))
        self.register_buffer("basis", torch.zeros(self.options.directions, 2 * self.options.dim))

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Learn what training data look like.

        Args:
            features: From `summarise`, [clips, 2 * dim]; two clips or more for each direction.

        Raises:
            ValueError: Too few clips.
        """
        if len(features) < 2 * self.options.directions:
            raise ValueError(
                f"{len(features)} clips are too few for {self.options.directions} directions; "
                f"expected {2 * self.options.directions} or more."
            )
        self.mean.copy_(features.mean(0))
        directions = torch.linalg.svd(features - self.mean, full_matrices=False).Vh
        self.basis.copy_(directions[: self.options.directions])

    def residual(self, features: Tensor) -> Tensor:
        """Return how much lies outside the directions, [batch, 2 * dim] -> [batch]."""
        centred = features - self.mean
        return (centred - centred @ self.basis.mT @ self.basis).norm(dim=1)

    def forward(self, states: Tensor, log_probability: Tensor | None = None) -> Tensor:
        """Return how far windows are from the training data.

        Args:
            states: What an encoder makes of the sound, or of the mouths that are seen; padding left
                out, [batch, states, dim], two states or more.
            log_probability: Mean over decoded tokens, [batch]; None where nothing is decoded.

        Returns:
            [batch]: above 1 all signs say that a window is unlike the training data.
        """
        outside = self.residual(summarise(states)) / self.options.residual
        if log_probability is None:
            return outside
        return torch.minimum(outside, -log_probability / self.options.doubt)


def summarise(states: Tensor) -> Tensor:
    """Return mean and spread over time, [batch, states, dim] -> [batch, 2 * dim]."""
    return torch.cat([states.mean(1), states.std(1)], 1)
