"""What kind of noise is heard, by what an encoder of speech makes of it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

RIDGE = 0.02
STEPS = 200
SMALLEST = 1e-4  # spread of a feature that does not vary


@dataclass(frozen=True)
class KindOptions:
    """Options of the classifier.

    Attributes:
        categories: That it tells apart.
        features: How many numbers describe a window.
    """

    categories: tuple[str, ...] = ("babble", "sidespeaker", "music", "natural")
    features: int = 768

    def __post_init__(self):
        if len(self.categories) < 2 or len(set(self.categories)) < len(self.categories):
            raise ValueError(f"Option 'categories' is {self.categories}; expected two or more.")


class NoiseKind(nn.Module):
    """A linear layer on mean and spread of an encoder's states, see `fusion.domain.summarise`.

    An encoder that was trained on hundreds of thousands of hours knows voices and music that a
    network trained on a few recordings takes for each other.

    Args:
        options: Of the classifier.

    Source:
        That Whisper's encoder keeps what noise there is: Gong et al. (2023, arXiv 2307.03183),
        Whisper-AT.
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, options: KindOptions | None = None):
        super().__init__()
        self.options = options or KindOptions()
        features, kinds = self.options.features, len(self.options.categories)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("weight", torch.zeros(features, kinds))
        self.register_buffer("bias", torch.zeros(kinds))

    def fit(self, features: Tensor, category: Tensor) -> None:
        """Learn from windows whose noise is known; the same windows give the same result.

        Args:
            features: [windows, features].
            category: Places in the categories, [windows].

        Raises:
            ValueError: A category does not occur.
        """
        kinds = self.options.categories
        missing = set(range(len(kinds))) - set(category.tolist())
        if missing:
            raise ValueError(f"There is no window with {kinds[min(missing)]}; expected some.")
        rows = features.double()
        self.mean.copy_(rows.mean(0))
        self.scale.copy_(rows.std(0).clamp_min(SMALLEST))
        rows = (rows - self.mean) / self.scale
        weight = torch.zeros_like(self.weight, dtype=torch.float64, requires_grad=True)
        bias = torch.zeros_like(self.bias, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.LBFGS([weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimiser.zero_grad()
            value = functional.cross_entropy(rows @ weight + bias, category)
            value = value + RIDGE * weight.square().sum()
            value.backward()
            return value

        optimiser.step(loss)  # type: ignore[arg-type]
        self.weight.copy_(weight.detach())
        self.bias.copy_(bias.detach())

    def forward(self, features: Tensor) -> Tensor:
        """Return logits of the categories, [batch, features] -> [batch, categories]."""
        return (features - self.mean) / self.scale @ self.weight + self.bias
