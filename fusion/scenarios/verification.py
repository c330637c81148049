"""Whether what a set made of unknown sound is what was said, by several signs together."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from fusion.scenarios.category import KindOptions, NoiseKind
from fusion.scenarios.options import VerifierOptions

KINDS = ("something else", "what was said")


class Verifier(nn.Module):
    """A linear layer on signs for and against a text.

    Args:
        options: Which signs count, and how sure is sure enough; None takes the defaults.

    Source:
        Utterance verification: Rahim, Lee and Juang (1997, IEEE Transactions on Speech and Audio
        Processing 5:3), who test a recogniser's text against the alternatives.
    """

    def __init__(self, options: VerifierOptions | None = None):
        super().__init__()
        self.options = options or VerifierOptions()
        self.kind = NoiseKind(KindOptions(KINDS, len(self.options.signals)))

    def chance(self, signals: Tensor) -> Tensor:
        """Return the probability that a text is what was said, [windows, signals] -> [windows]."""
        return self.kind(signals).softmax(1)[:, 1]

    def accepts(self, signals: Tensor, known: Sequence[bool]) -> list[bool]:
        """Tell for each window if the text is sure enough.

        Args:
            signals: [windows, signals].
            known: Whether the sound is known, [windows].
        """
        borders = [self.options.least_known if one else self.options.least for one in known]
        chances = self.chance(signals).tolist()
        return [chance >= least for chance, least in zip(chances, borders, strict=True)]


def fit_verifier(signals: Tensor, said: Tensor, options: VerifierOptions) -> Verifier:
    """Learn from windows of which it is known whether the set's sentences are spoken in them.

    Args:
        signals: [windows, signals].
        said: bool, [windows].
        options: What the signals are called, and from when on a text is accepted.

    Raises:
        ValueError: All windows are of one kind.
    """
    verifier = Verifier(options)
    counts = torch.bincount(said.long(), minlength=2).clamp_min(1)
    verifier.kind.fit(signals, said.long(), len(said) / (2.0 * counts))
    return verifier
