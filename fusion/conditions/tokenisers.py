"""Numbers that say something of a whole picture become tokens."""

import torch
from torch import Tensor, nn

WIDTH = 32  # channels of what looks at a picture in training


class Projection(nn.Module):
    """One layer and a norm, as IP-Adapter has it for the embedding of a picture.

    Args:
        dim: Width of the vector.
        tokens: How many it becomes.
        token_dim: Their width.

    Source:
        IP-Adapter, arXiv 2308.06721.
    """

    def __init__(self, dim: int, tokens: int, token_dim: int):
        super().__init__()
        self.tokens = tokens
        self.layer = nn.Linear(dim, tokens * token_dim)
        self.norm = nn.LayerNorm(token_dim)

    def forward(self, vector: Tensor) -> Tensor:
        """Return [rows, tokens, token_dim] of [rows, dim]."""
        return self.norm(self.layer(vector).unflatten(1, (self.tokens, -1)))


class AttributeMlp(nn.Module):
    """Two layers and a norm.

    Args:
        dim: How many attributes there are.
        hidden: Width between the layers.
        tokens: How many tokens they become.
        token_dim: Their width.

    Source:
        The plain form that Att-Adapter is compared with, arXiv 2503.11937.
    """

    def __init__(self, dim: int, hidden: int, tokens: int, token_dim: int):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(dim, hidden), nn.SiLU())
        self.outer = Projection(hidden, tokens, token_dim)

    def forward(self, attributes: Tensor) -> Tensor:
        """Return [rows, tokens, token_dim] of [rows, dim]."""
        return self.outer(self.inner(attributes))


class AttributeAutoencoder(nn.Module):
    """A conditional variational autoencoder: attributes and a hidden cause become tokens.

    What pictures of some attributes differ in goes into the hidden cause, which in training is
    read from the picture and otherwise is what attributes let expect, so that attributes alone do
    not have to explain each picture.

    Args:
        dim: How many attributes there are.
        hidden: Width between layers.
        cause: Width of the hidden cause.
        channels: How many latents have, which are looked at in training.
        tokens: How many tokens they become.
        token_dim: Their width.

    Source:
        Att-Adapter, arXiv 2503.11937; how its parts are wired is not told there that we could read.
    """

    def __init__(
        self, dim: int, hidden: int, cause: int, channels: int, tokens: int, token_dim: int
    ):
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(channels, WIDTH, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(WIDTH, WIDTH, 3, 2, 1),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.prior = nn.Sequential(nn.Linear(dim, hidden), nn.SiLU(), nn.Linear(hidden, 2 * cause))
        self.posterior = nn.Sequential(
            nn.Linear(dim + WIDTH, hidden), nn.SiLU(), nn.Linear(hidden, 2 * cause)
        )
        self.decoder = AttributeMlp(dim + cause, hidden, tokens, token_dim)

    def forward(self, attributes: Tensor, latents: Tensor | None) -> tuple[Tensor, Tensor]:
        """Make tokens.

        Args:
            attributes: [rows, dim].
            latents: Pictures that have them, in training, [rows, channels, height, width]; None
                for the mean of what is to be expected.

        Returns:
            Tokens, [rows, tokens, token_dim], and what the hidden cause says that attributes do
            not, in nats, [rows]; 0 without pictures.
        """
        mean, log_variance = self.prior(attributes).chunk(2, -1)
        divergence = mean.new_zeros(len(mean))
        if latents is not None:
            seen = torch.cat([attributes, self.look(latents)], 1)
            own_mean, own_log_variance = self.posterior(seen).chunk(2, -1)
            divergence = _divergence(own_mean, own_log_variance, mean, log_variance)
            mean = own_mean + (0.5 * own_log_variance).exp() * torch.randn_like(own_mean)
        return self.decoder(torch.cat([attributes, mean], 1)), divergence


def _divergence(mean: Tensor, log_variance: Tensor, other: Tensor, other_log: Tensor) -> Tensor:
    """Return how far one normal distribution is from another, in nats, [rows]."""
    spread = ((mean - other).square() + log_variance.exp()) / other_log.exp()
    return 0.5 * (other_log - log_variance + spread - 1).sum(-1)
