"""Whether noise is that of a set that was added to a collection, and not what was known before."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fusion.scenarios.category import KindOptions, NoiseKind


@dataclass(frozen=True)
class GrownOptions(KindOptions):
    """Options of the check.

    Attributes:
        least: From which probability noise is taken for the new one, 0 to 1.
    """

    categories: tuple[str, ...] = ("known", "new")
    least: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        if len(self.categories) != 2 or not 0 <= self.least <= 1:
            raise ValueError(
                f"Options 'categories' and 'least' are {self.categories} and {self.least}; "
                "expected two, and 0 to 1."
            )


class GrownNoise(NoiseKind):
    """Tells the noise of one added set from all that a collection knew before.

    Args:
        options: How many numbers describe a window, and how sure is sure enough; None takes the
            defaults.
    """

    options: GrownOptions

    def __init__(self, options: GrownOptions | None = None):
        super().__init__(options or GrownOptions())

    def chance(self, features: Tensor) -> Tensor:
        """Return the probability that noise is the new one, [windows, features] -> [windows]."""
        return self(features).softmax(1)[:, 1]

    def margin(self, features: Tensor) -> Tensor:
        """Return by how much that is above the least, [windows, features] -> [windows]."""
        return self.chance(features) - self.options.least


def fit_grown(
    new: Tensor,
    known: Tensor,
    held_out: Sequence[Tensor],
    name: str,
    false_alarms: float = 0.02,
) -> GrownNoise:
    """Learn to tell a new noise from known ones.

    Args:
        new: Features of windows with the new noise, [windows, features], as
            `fusion.scenarios.domain.summarise` makes them of an encoder's states.
        known: Those of windows with what was known.
        held_out: Others of each kind of what was known, of clips and draws that are not in `known`.
        name: What the new noise is called.
        false_alarms: Share of each kind in `held_out` that may be taken for the new noise, 0 to
            below 1: of all kinds together, one that is just like it would hardly count.

    Raises:
        ValueError: A share that is none, or no windows.
    """
    counts = [len(new), len(known), *map(len, held_out)]
    if not 0 <= false_alarms < 1 or not held_out or not min(counts):
        raise ValueError(
            f"false_alarms is {false_alarms}, and the numbers of windows are {counts}; expected 0 "
            "to below 1, and one window or more that are new, known, and of each kind held out."
        )
    categories = ("known", name)
    fitted = NoiseKind(KindOptions(categories, new.shape[1]))
    belongs = torch.cat([torch.zeros(len(known)), torch.ones(len(new))]).long()
    fitted.fit(torch.cat([known, new]), belongs)
    chances = [fitted(kind).softmax(1)[:, 1] for kind in held_out]
    least = max(0.5, *(float(of.quantile(1 - false_alarms)) for of in chances))
    final = GrownNoise(GrownOptions(categories, new.shape[1], min(least, 1.0)))
    final.load_state_dict(fitted.state_dict())
    return final
