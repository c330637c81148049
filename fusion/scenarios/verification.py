"""Whether what a set made of unknown sound is what was said, by several signs together."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fusion.scenarios.category import KindOptions, NoiseKind


@dataclass(frozen=True)
class VerifierOptions(KindOptions):
    """Options of the check.

    Attributes:
        signals: Names of the signs, see `tasks.avsr.sets.evidence.SIGNALS`.
        others: Names of the sets whose texts are compared.
        least: From which probability on a text is accepted, 0 to 1.
    """

    categories: tuple[str, ...] = ("something else", "what was said")
    features: int = 1
    signals: tuple[str, ...] = ("doubt",)
    others: tuple[str, ...] = ()
    least: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        if len(self.categories) != 2 or len(self.signals) != self.features:
            raise ValueError(
                f"Options 'categories', 'signals' and 'features' are {self.categories}, "
                f"{self.signals} and {self.features}; expected two, and a feature a signal."
            )
        if not 0 <= self.least <= 1:
            raise ValueError(f"Option 'least' is {self.least}; expected 0 to 1.")


class Verifier(NoiseKind):
    """A linear layer on signs for and against a text.

    Args:
        options: Which signs count, and how sure is sure enough; None takes the defaults.

    Source:
        Utterance verification: Rahim, Lee and Juang (1997, IEEE Transactions on Speech and Audio
        Processing 5:3), who test a recogniser's text against the alternatives.
    """

    options: VerifierOptions

    def __init__(self, options: VerifierOptions | None = None):
        super().__init__(options or VerifierOptions())

    def chance(self, signals: Tensor) -> Tensor:
        """Return the probability that a text is what was said, [windows, signals] -> [windows]."""
        return self(signals).softmax(1)[:, 1]

    def accepts(self, signals: Tensor) -> list[bool]:
        """Tell for each window if the text is sure enough, [windows, signals] -> [windows]."""
        return (self.chance(signals) >= self.options.least).tolist()


def fit_verifier(
    signals: Tensor, said: Tensor, names: tuple[str, ...], others: tuple[str, ...], least: float
) -> Verifier:
    """Learn from windows of which it is known whether the set's sentences are spoken in them.

    Args:
        signals: [windows, signals].
        said: bool, [windows].
        names: What the signals are called.
        others: Names of the sets whose texts are compared.
        least: From which probability on a text is accepted, 0 to 1.

    Raises:
        ValueError: All windows are of one kind, or `least` is no share.
    """
    options = VerifierOptions(features=len(names), signals=names, others=others, least=least)
    verifier = Verifier(options)
    counts = torch.bincount(said.long(), minlength=2).clamp_min(1)
    verifier.fit(signals, said.long(), len(said) / (2.0 * counts))
    return verifier
