"""What kind of noise is heard, by what an encoder of speech makes of it."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from fusion.scenarios.standardised import Standardised

RIDGE = 0.02
STEPS = 200


@dataclass(frozen=True)
class KindOptions:
    """Options of the classifier.

    Attributes:
        categories: Names of the noise that it tells apart, two or more, none twice.
        features: How many numbers describe a window.
    """

    categories: tuple[str, ...] = ("babble", "sidespeaker", "music", "natural")
    features: int = 768

    def __post_init__(self):
        if len(self.categories) < 2 or len(set(self.categories)) < len(self.categories):
            raise ValueError(f"Option 'categories' is {self.categories}; expected two or more.")


class NoiseKind(Standardised):
    """A linear layer on mean and spread of an encoder's states.

    See `fusion.scenarios.domain.summarise`.

    An encoder that was trained on hundreds of thousands of hours knows voices and music that a
    network trained on a few recordings takes for each other.

    Args:
        options: Which categories there are, and how many numbers describe a window; None takes the
            defaults.

    Source:
        That Whisper's encoder keeps what noise there is: Gong et al. (2023, arXiv 2307.03183),
        Whisper-AT.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, options: KindOptions | None = None):
        options = options or KindOptions()
        features, kinds = options.features, len(options.categories)
        super().__init__(features)
        self.options = options
        self.register_buffer("weight", torch.zeros(features, kinds))
        self.register_buffer("bias", torch.zeros(kinds))

    def fit(self, features: Tensor, category: Tensor, importance: Tensor | None = None) -> None:
        """Learn from windows whose noise is known; the same windows give the same result.

        Args:
            features: [windows, features].
            category: Places in the categories, [windows].
            importance: How much a window of each category counts, [categories]; all alike without.

        Raises:
            ValueError: A category does not occur.
        """
        kinds = self.options.categories
        missing = set(range(len(kinds))) - set(category.tolist())
        if missing:
            raise ValueError(f"There is no window with {kinds[min(missing)]}; expected some.")
        rows = self.fit_scale(features)
        counts = None if importance is None else importance.double()
        weight = torch.zeros_like(self.weight, dtype=torch.float64, requires_grad=True)
        bias = torch.zeros_like(self.bias, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.LBFGS([weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimiser.zero_grad()
            value = functional.cross_entropy(rows @ weight + bias, category, counts)
            value = value + RIDGE * weight.square().sum()
            value.backward()
            return value

        optimiser.step(loss)  # type: ignore[arg-type]
        self.weight.copy_(weight.detach())
        self.bias.copy_(bias.detach())

    def forward(self, features: Tensor) -> Tensor:
        """Return logits of the categories, [batch, features] -> [batch, categories]."""
        return self.standardise(features) @ self.weight + self.bias
