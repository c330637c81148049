"""How loud the noise is, from sound and lips together."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fusion.audio_visual.agreement import Agreement
from fusion.scenarios.standardised import Standardised

RIDGE = 0.2  # of a window
SNR_DB, SCORE, LOCAL = (-15.0, 25.0), (-4.0, 8.0), (-6.0, 8.0)  # what lies beyond says no more
PARTS = (0.1, 0.25, 0.5, 0.75, 0.9)  # of the frames of a window


@dataclass(frozen=True)
class LevelOptions:
    """Options of the estimate.

    Attributes:
        categories: How many kinds of noise are told apart.
        states: How many numbers say what an encoder made of the sound.
    """

    categories: int = 4
    states: int = 768

    @property
    def features(self) -> int:
        """How many numbers the estimate is made of."""
        return 3 + (1 + 4) * self.categories + 2 * len(PARTS) + 1 + self.states


class LevelEstimate(Standardised):
    """Corrects the level that the sound suggests by how well lips and sound agree.

    From the sound alone nobody can say which of two like voices is the one meant, so whether it
    is the loud one; the lips can. The estimate is linear in what was found, by category of noise.

    Args:
        options: How many categories and states there are; None takes the defaults.
    """

    weight: Tensor
    middle_db: Tensor

    def __init__(self, options: LevelOptions | None = None):
        options = options or LevelOptions()
        super().__init__(options.features)
        self.options = options
        self.register_buffer("weight", torch.zeros(self.options.features))
        self.register_buffer("middle_db", torch.zeros(1))

    @torch.no_grad()
    def fit(self, features: Tensor, snr_db: Tensor) -> None:
        """Learn from windows whose level is known, by least squares.

        Args:
            features: From `describe`, [windows, features]; two windows or more.
            snr_db: Their true signal-to-noise ratios, [windows].

        Raises:
            ValueError: Fewer than two windows.
        """
        if len(features) < 2:
            raise ValueError(f"A level cannot be learnt from {len(features)} window; give many.")
        rows, levels = self.fit_scale(features), snr_db.double()
        self.middle_db.copy_(levels.mean())
        ridge = RIDGE * len(rows) * torch.eye(rows.shape[1], dtype=torch.float64)
        answers = rows.mT @ (levels - levels.mean())
        self.weight.copy_(torch.linalg.solve(rows.mT @ rows + ridge, answers))

    def describe(
        self,
        snr_db: Tensor,
        probabilities: Tensor,
        agreement: Agreement,
        mask: Tensor,
        states: Tensor,
    ) -> Tensor:
        """Put together what the estimate is made of.

        Args:
            snr_db: What `ScenarioClassifier` estimates from the sound alone, [batch].
            probabilities: How sure the classifier is of each category of noise, 0 to 1, [batch,
                categories].
            agreement: What `AgreementNetwork` found of lips and sound.
            mask: [batch, video_frames], bool, True where a mouth is seen.
            states: What an encoder made of the sound, see `fusion.scenarios.domain.summarise`,
                [batch, states].

        Returns:
            [batch, features].
        """
        local = agreement.local.masked_fill(~mask, torch.nan).clamp(*LOCAL)
        heard = agreement.snr_db.clamp(*SNR_DB)
        parts = torch.tensor(PARTS, device=local.device)
        signs = [
            snr_db.clamp(*SNR_DB),
            agreement.snr_db.mean(1).clamp(*SNR_DB),
            agreement.score.clamp(*SCORE),
            local.nan_to_num(nan=LOCAL[1]).amin(1),
        ]
        sound, _, score, _ = signs
        # Categories sum to one: each sign alone is the sum of its products with all of them.
        products = [probabilities * sign[:, None] for sign in (torch.ones_like(sound), *signs)]
        return torch.cat(
            [
                torch.stack([score**2, score * sound, sound**2], 1),
                *products,
                local.nanquantile(parts, 1).nan_to_num(nan=LOCAL[1]).mT,
                heard.quantile(parts, 1).mT,
                heard.std(1, keepdim=True),
                states,
            ],
            1,
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the signal-to-noise ratio in dB, [batch, features] -> [batch]."""
        return self.standardise(features) @ self.weight + self.middle_db
