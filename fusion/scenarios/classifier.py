"""What noise is heard: its category and its level, from the log-mel."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fusion.audio_visual.masked_convolutions import Residual, run_masked
from fusion.scenarios.options import ScenarioOptions


@dataclass(frozen=True)
class Scenario:
    """What a window was taken for.

    Attributes:
        category: Name of the noise.
        probability: How sure the classifier is of that category, 0 to 1.
        snr_db: Signal-to-noise ratio, estimated, in dB.
        distance: How unlike the training data the window is, see `fusion.scenarios.domain`:
            above 1 it is unknown. 0 where nobody looked.
        grown: Name of the added set whose noise it is, see `fusion.scenarios.grown`; "" for noise
            that was known before.
        accepted: Whether an unknown window's text of the set that hears only is what was said
            after all, see `fusion.scenarios.verification`.
    """

    category: str
    probability: float
    snr_db: float
    distance: float = 0.0
    grown: str = ""
    accepted: bool = False


class ScenarioClassifier(nn.Module):
    """One trunk of residual convolutions over the log-mel, one head per question.

    Args:
        options: Categories, and sizes of its layers; None takes the defaults.

    Source:
        Simic et al. (2025, arXiv 2502.01709), who train one network per question.
    """

    def __init__(self, options: ScenarioOptions | None = None):
        super().__init__()
        self.options = options or ScenarioOptions()
        channels, hidden = self.options.channels, self.options.hidden
        widths = [1, *[channels] * len(self.options.steps)]
        self.blocks = nn.ModuleList(
            _block(inputs, channels, step)
            for inputs, step in zip(widths[:-1], self.options.steps, strict=True)
        )
        self.features = nn.Sequential(nn.Linear(2 * channels, hidden), nn.ReLU())
        self.category = nn.Linear(hidden, len(self.options.categories))
        self.level = nn.Linear(hidden, 1)

    def forward(self, mel: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Classify windows.

        Args:
            mel: [batch, mel_bins, frames].
            mask: [batch, frames], bool, True where real; None where all is.

        Returns:
            Logits of the categories, [batch, categories]; signal-to-noise ratio in dB, [batch].

        Raises:
            ValueError: Another number of bins, or no real frame in a row.
        """
        if mel.ndim != 3 or mel.shape[1] != self.options.mel_bins:
            raise ValueError(
                f"Log-mel has the shape {tuple(mel.shape)}; expected [batch, "
                f"{self.options.mel_bins}, frames]."
            )
        mask = torch.ones_like(mel[:, 0], dtype=torch.bool) if mask is None else mask
        if not mask.any(1).all():
            raise ValueError("A row has no real frame; leave it out.")
        maps = mel.mT[:, None]  # [batch, 1, frames, mel_bins]
        for block, step in zip(self.blocks, self.options.steps, strict=True):
            # What a thinned frame is made of starts at its own place.
            wide, mask = mask, mask[:, ::step]
            maps = block(maps, wide, mask)
        hidden = self.features(_pool(maps.mean(3), mask))
        return self.category(hidden), 10 * self.level(hidden)[:, 0]

    @torch.no_grad()
    def name(self, probabilities: Tensor, snr_db: Tensor) -> list[Scenario]:
        """Say what each window was taken for.

        Args:
            probabilities: How sure it is of each category, 0 to 1, [batch, categories].
            snr_db: Signal-to-noise ratio of each window, [batch].
        """
        highest, chosen = probabilities.max(1)
        names: Sequence[str] = self.options.categories
        return [
            Scenario(names[int(index)], float(probability), float(level))
            for index, probability, level in zip(chosen, highest, snr_db, strict=True)
        ]


class _Thinned(nn.Module):
    """A residual block whose first convolution, and shortcut, take steps."""

    def __init__(self, block: Residual):
        super().__init__()
        first, *rest = block.convolutions
        self.first, self.rest = first, nn.Sequential(*rest)
        self.shortcut = block.shortcut

    def forward(self, maps: Tensor, wide: Tensor, mask: Tensor) -> Tensor:
        """[batch, channels, frames, bins], masks before and after thinning -> thinner maps."""
        changed = run_masked(self.rest, run_masked(self.first, maps, wide), mask)
        return torch.relu(changed + run_masked(self.shortcut, maps, wide))


def _block(inputs: int, outputs: int, step: int) -> _Thinned:
    convolutions = nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, step, 1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
    )
    same = inputs == outputs and step == 1
    return _Thinned(Residual(convolutions, None if same else nn.Conv2d(inputs, outputs, 1, step)))


def _pool(maps: Tensor, mask: Tensor) -> Tensor:
    """Mean and standard deviation over real frames, [batch, channels, frames] -> [.., 2 channels].

    Both matter: steady noise and speech that comes and goes differ in the second.
    """
    weights = mask[:, None].to(maps.dtype)
    count = weights.sum(2)
    mean = (maps * weights).sum(2) / count
    spread = ((maps - mean[..., None]).square() * weights).sum(2) / count
    return torch.cat([mean, (spread + 1e-5).sqrt()], 1)
