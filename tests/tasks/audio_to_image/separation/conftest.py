"""A model of sound and text that embeds by pitch, and separators of the smallest size."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from modalities.separation.network import SeparatorOptions

BANDS = 12


class PitchText:
    """Embeds sounds by bands of their spectrum, and a text that ends with a number as that band."""

    name, identity, rate_hz, dim = "pitch", "pitch-12", 8000, BANDS

    def __init__(self):
        self.batches: list[int] = []

    def embed_audio(self, waves: Tensor) -> Tensor:
        self.batches.append(len(waves))
        power = torch.fft.rfft(waves).abs().square()
        return normalize(interpolate(power[:, None], BANDS, mode="area")[:, 0] + 1e-9, dim=1)

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        bands = torch.tensor([int(text.split()[-1]) for text in texts])
        return torch.nn.functional.one_hot(bands, BANDS).float()


@pytest.fixture
def audio_text() -> PitchText:
    return PitchText()


@pytest.fixture
def small() -> SeparatorOptions:
    return SeparatorOptions(
        sources=3, window_s=0.5, widths=(8, 8, 16), squeeze=4, reads="log_power", dropout=0.0
    )
