"""How loud the noise is, from sound and lips together."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.agreement import Agreement

RIDGE = 0.1
SNR_DB, SCORE, LOCAL = (-15.0, 25.0), (-4.0, 8.0), (-6.0, 8.0)  # what lies beyond says no more


@dataclass(frozen=True)
class LevelOptions:
    """Options of the estimate.

    Attributes:
        categories: How many kinds of noise are told apart.
    """

    categories: int = 4

    @property
    def features(self) -> int:
        """How many numbers the estimate is made of."""
        return 3 + (1 + 4) * self.categories


class LevelEstimate(nn.Module):
    """Corrects the level that the sound suggests by how well lips and sound agree.

    From the sound alone nobody can say which of two like voices is the one meant, so whether it
    is the loud one; the lips can. The estimate is linear in what was found, by category of noise.

    Args:
        options: Of the estimate.
    """

    weight: Tensor

    def __init__(self, options: LevelOptions | None = None):
        super().__init__()
        self.options = options or LevelOptions()
        self.register_buffer("weight", torch.zeros(self.options.features))

    @torch.no_grad()
    def fit(self, features: Tensor, snr_db: Tensor) -> None:
        """Learn from windows whose level is known.

        Args:
            features: As `describe` returns them, [windows, features].
            snr_db: [windows].

        Raises:
            ValueError: Fewer windows than features.
        """
        if len(features) < self.options.features:
            raise ValueError(
                f"{len(features)} windows are too few for {self.options.features} features."
            )
        rows, levels = features.double(), snr_db.double()
        ridge = RIDGE * torch.eye(rows.shape[1], dtype=torch.float64)
        self.weight.copy_(torch.linalg.solve(rows.mT @ rows + ridge, rows.mT @ levels))

    def describe(
        self, snr_db: Tensor, probabilities: Tensor, agreement: Agreement, mask: Tensor
    ) -> Tensor:
        """Put together what the estimate is made of.

        Args:
            snr_db: Of `ScenarioClassifier`, [batch].
            probabilities: Of each category, likewise, [batch, categories].
            agreement: Of lips and sound.
            mask: [batch, video_frames], bool, True where a mouth is seen; one at least in a row.

        Returns:
            [batch, features].
        """
        least = agreement.local.masked_fill(~mask, torch.inf).amin(1)
        signs = [
            snr_db.clamp(*SNR_DB),
            agreement.snr_db.mean(1).clamp(*SNR_DB),
            agreement.score.clamp(*SCORE),
            least.clamp(*LOCAL),
        ]
        sound, _, score, _ = signs
        # Categories sum to one: each sign alone is the sum of its products with all of them.
        products = [probabilities * sign[:, None] for sign in (torch.ones_like(sound), *signs)]
        return torch.cat([torch.stack([score**2, score * sound, sound**2], 1), *products], 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the signal-to-noise ratio in dB, [batch, features] -> [batch]."""
        return features @ self.weight
