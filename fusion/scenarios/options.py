"""Sizes of the classifier of noise, read without torch."""

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
