"""What a set was trained on, kept as a descriptor of features, and whether new sound fits it.

Features are those of a frozen encoder, pooled over real frames alone: padding would make all alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor, nn

from fusion.scenarios.standardised import SMALLEST, Standardised

BATCH, KEPT = 32, 500  # clips of a step, and how many of the last errors are kept, as in SEMA


class Descriptor(Protocol):
    """Knows how unlike its training data features are."""

    def score(self, features: Tensor) -> Tensor:
        """Return how unlike, [clips, dim] -> [clips]: 0 or more, about 1 for its own kind."""
        ...


class GaussianDescriptor(Standardised):
    """Mean and spread of each feature; what is scored is how far a clip is from the mean.

    Args:
        features: How many a clip has.
    """

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Learn the features of a set's clips, [clips, features], two or more.

        Raises:
            ValueError: Too few clips, other features, or some that are no numbers.
        """
        _check_clips(features, len(self.mean))
        self.fit_scale(features)

    @torch.no_grad()
    def score(self, features: Tensor) -> Tensor:
        """Return the root mean square of standardised features, [clips, features] -> [clips]."""
        return self.standardise(features).square().mean(1).sqrt()

    @torch.no_grad()
    def log_density(self, features: Tensor) -> Tensor:
        """Return how likely clips are, [clips, features] -> [clips], nats up to a constant.

        Which of several kinds one clip is of, this tells better than scores: nearness to a wide
        kind says less than nearness to a narrow one.
        """
        squares = self.standardise(features).square().sum(1)
        return -squares / 2 - self.scale.log().sum()


class AutoencoderDescriptor(nn.Module):
    """A linear autoencoder; what is scored is how strange its error is.

    SEMA's score is two-sided: an error far below the usual also counts as strange.

    Args:
        dim: Features of a clip.
        width: Features in between, 1 or more; SEMA has 128.

    Attributes:
        mean: What the errors of the last steps of training were on average.
        spread: The standard deviation of those errors.

    Source:
        SEMA, arXiv 2403.18886. That features are standardised first, and that Adam fits it, are
        ours.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, dim: int, width: int = 128):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(dim, width), nn.Linear(width, dim)
        self.features = Standardised(dim)
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("spread", torch.ones(()))

    def errors(self, features: Tensor) -> Tensor:
        """Return the mean square error of each clip, [clips, dim] -> [clips]."""
        standard = self.features.standardise(features)
        return (self.decoder(self.encoder(standard)) - standard).square().mean(1)

    def fit(
        self,
        features: Tensor,
        steps: int = 300,
        rate: float = 0.01,
        generator: Generator | None = None,
    ) -> None:
        """Learn the features of a set's clips, then keep mean and spread of the last errors.

        Args:
            features: [clips, dim], two clips or more.
            steps: How many steps of 32 clips; the errors of the last 500 clips count.
            rate: Step size of Adam.
            generator: Draws the clips; None for torch's own.

        Raises:
            ValueError: Too few clips, other features, or some that are no numbers.
        """
        _check_clips(features, len(self.features.mean))
        self.features.fit_scale(features)
        optimiser = torch.optim.Adam(self.parameters(), rate)
        last: list[Tensor] = []
        for _ in range(steps):
            chosen = torch.randint(len(features), (BATCH,), generator=generator)
            errors = self.errors(features[chosen])
            optimiser.zero_grad()
            errors.mean().backward()
            optimiser.step()
            last = [*last, errors.detach()][-(KEPT // BATCH + 1) :]
        kept = torch.cat(last)[-KEPT:]
        self.mean.copy_(kept.mean())
        self.spread.copy_(kept.std().clamp_min(SMALLEST))

    @torch.no_grad()
    def score(self, features: Tensor) -> Tensor:
        """Return |error - mean| / spread, [clips, dim] -> [clips]."""
        return (self.errors(features) - self.mean).abs() / self.spread


@dataclass(frozen=True)
class Fit:
    """How clips fit what is known.

    Attributes:
        nearest: Name of the descriptor that they fit best.
        score: Its mean score over the clips.
        known: Whether that is at most the threshold.
        scores: Mean score by name.
    """

    nearest: str
    score: float
    known: bool
    scores: Mapping[str, float]


def judge(
    descriptors: Mapping[str, Descriptor], features: Tensor, thresholds: Mapping[str, float]
) -> Fit:
    """Decide whether clips of one kind fit a descriptor, or nothing known fits.

    Args:
        descriptors: By the name of their set, one or more.
        features: [clips, dim], one clip or more.
        thresholds: The highest mean score that fits, by name; see `calibrate`.

    Raises:
        ValueError: No descriptor, no clip, or a descriptor without a threshold.
    """
    if not descriptors or not len(features):
        raise ValueError(
            f"{len(descriptors)} descriptors and {len(features)} clips are given; expected one or "
            "more of both."
        )
    if missing := sorted(set(descriptors) - set(thresholds)):
        raise ValueError(f"No threshold for {', '.join(missing)}; calibrate it on held-out clips.")
    scores = {name: one.score(features).mean().item() for name, one in descriptors.items()}
    # By the threshold, as scores of different descriptors have no common scale.
    nearest = min(scores, key=lambda name: scores[name] / thresholds[name])
    return Fit(nearest, scores[nearest], scores[nearest] <= thresholds[nearest], scores)


def calibrate(
    descriptor: Descriptor,
    held_out: Tensor,
    clips: int = 16,
    false_alarms: float = 0.01,
    draws: int = 1000,
    generator: Generator | None = None,
) -> float:
    """Choose the threshold that calls a set's own kind unknown so often, by clips held out.

    Args:
        descriptor: Fitted, without the clips held out.
        held_out: Features of clips of its own kind, [clips, dim], two or more.
        clips: How many clips a decision will be taken on; the mean of more varies less.
        false_alarms: The share of decisions on its own kind that may say unknown, above 0 and
            below 1.
        draws: How many decisions are tried, with clips drawn with replacement.
        generator: Draws the clips; None for torch's own.

    Returns:
        The highest mean score that fits.

    Raises:
        ValueError: Fewer than two clips are held out, or a share that is none.
    """
    if not 0 < false_alarms < 1 or clips < 1:
        raise ValueError(
            f"The share of false alarms is {false_alarms} on {clips} clips; expected a share above "
            "0 and below 1, and 1 clip or more."
        )
    if len(held_out) < 2:
        raise ValueError(f"{len(held_out)} clips are held out; expected 2 or more.")
    scores = descriptor.score(held_out)
    chosen = torch.randint(len(scores), (draws, clips), generator=generator)
    return scores[chosen.to(scores.device)].mean(1).quantile(1 - false_alarms).item()


def averages_of(
    features: Tensor, clips: int, draws: int = 200, generator: Generator | None = None
) -> Tensor:
    """Average clips of one kind, drawn with replacement, as rows for `calibrate` and `judge`.

    A kind whose clips lie far apart holds the clips of narrow kinds: clip by clip they fit it.
    Their average does not, unless it lies where the wide kind's own averages do.

    Args:
        features: [clips, dim], one clip or more.
        clips: How many each row is the average of; decide on the average of as many.
        draws: How many rows.
        generator: Draws the clips; None for torch's own.

    Returns:
        [draws, dim]. With a descriptor that was fitted to clips, calibrate by `clips=1`.

    Raises:
        ValueError: There is no clip.
    """
    if not len(features) or clips < 1:
        raise ValueError(
            f"{len(features)} clips are given for averages of {clips}; expected 1 or more of both."
        )
    chosen = torch.randint(len(features), (draws, clips), generator=generator)
    return features[chosen.to(features.device)].mean(1)


def _check_clips(features: Tensor, dim: int) -> None:
    if features.ndim != 2 or features.shape[1] != dim or len(features) < 2:
        raise ValueError(
            f"Features are {list(features.shape)}; expected [clips, {dim}] with 2 clips or more."
        )
    if not features.isfinite().all():
        raise ValueError("Features hold NaN or infinite values; leave those clips out.")
