"""What there is to set in hearing noise, and in verifying texts, read without torch."""

from dataclasses import dataclass

BLOCKS = 5  # of two convolutions: the paper's ten layers


@dataclass(frozen=True)
class ScenarioOptions:
    """Options of the classifier; the paper has 64 channels, and no steps.

    Attributes:
        categories: Names of the noise that it tells apart, two or more, none twice.
        mel_bins: Bands of the log-mel.
        channels: Output channels of every convolution.
        steps: By how much each residual block thins out time and frequency.
        hidden: Width of the layer between the features and the two heads.
    """

    categories: tuple[str, ...] = ("babble", "sidespeaker", "music", "natural")
    mel_bins: int = 80
    channels: int = 64
    steps: tuple[int, ...] = (2, 2, 2, 1, 1)
    hidden: int = 64

    def __post_init__(self):
        if len(self.categories) < 2 or len(set(self.categories)) < len(self.categories):
            raise ValueError(f"Option 'categories' is {self.categories}; expected two or more.")
        if len(self.steps) != BLOCKS or min(self.steps) < 1:
            raise ValueError(f"Option 'steps' is {self.steps}; expected {BLOCKS} of 1 or more.")


@dataclass(frozen=True)
class VerifierOptions:
    """Options of the check of texts, see `fusion.scenarios.verification`.

    Attributes:
        signals: Names of the signs, see `tasks.avsr.sets.evidence.SIGNALS`; one or more.
        others: Names of the sets whose texts are compared.
        least: From which probability on a text is accepted, 0 to 1.
        most_doubt: How unsure a text may be at most: mean negative log-probability of a token. One
            that is less sure is not looked at, so that other speech costs no time.
        least_known: The same for windows that sound known beside an unknown face, where the text is
            unsure: loud voices of the training hide what is said. 0 takes them without a look.
    """

    signals: tuple[str, ...] = ("informed", "agreed", "doubt")
    others: tuple[str, ...] = ()
    least: float = 0.9
    most_doubt: float = 0.5
    least_known: float = 0.0

    def __post_init__(self):
        if not self.signals:
            raise ValueError("Option 'signals' is empty; expected one name or more.")
        for name in ("least", "least_known"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"Option {name!r} is {getattr(self, name)}; expected 0 to 1.")
