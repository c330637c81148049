"""Whisper's encoder by its catalog name, and what the catalog says of names."""

import pytest
import torch
from torch import nn

from modalities.catalog import ENCODERS, load_encoder
from modalities.speech.whisper_encoder import WhisperEncoder
from modalities.speech.whisper_names import WHISPERS

from .conftest import build_small


class Adapter(nn.Module):
    """A low-rank detour around a linear layer."""

    def __init__(self, base: nn.Linear):
        super().__init__()
        self.base = base
        self.down = nn.Linear(base.in_features, 2, bias=False)
        self.up = nn.Linear(2, base.out_features, bias=False)

    def forward(self, hidden):
        return self.base(hidden) + self.up(self.down(hidden))


@pytest.fixture
def small() -> WhisperEncoder:
    return WhisperEncoder(build_small())


@pytest.fixture(scope="module")
def tiny():
    return load_encoder("whisper-tiny.en")


def test_the_catalog_has_every_whisper():
    assert set(WHISPERS) <= set(ENCODERS)


def test_offline_encoder_by_name(tiny):
    assert (tiny.name, tiny.mel_bins, tiny.rate_hz) == ("whisper-tiny.en", 80, 50.0)
    assert not any("decoder" in name for name, _ in tiny.named_parameters())


def test_features_are_those_of_transformers(tiny):
    torch.manual_seed(0)
    mel = torch.randn(2, 80, 3000)
    with torch.inference_mode():
        features = tiny(mel)
        expected = tiny.encoder(mel).last_hidden_state
    assert torch.allclose(features.values, expected, atol=1e-5)
    assert features.mask.all() and features.mask.shape == (2, 1500) and features.rate_hz == 50


@pytest.mark.parametrize(("mel_frames", "frames"), [(2, 1), (298, 149), (300, 150)])
def test_short_spectrograms(small, mel_frames, frames):
    features = small(torch.randn(3, 80, mel_frames))
    assert features.values.shape == (3, frames, 32) and features.mask.shape == (3, frames)


def test_mask_goes_along(small):
    mask = torch.arange(100)[None] < torch.tensor([[100], [41]])
    features = small(torch.randn(2, 80, 100), mask)
    assert features.mask.sum(1).tolist() == [50, 21]


@pytest.mark.parametrize(
    "shape", [(1, 128, 100), (80, 100), (1, 80, 3001), (1, 80, 301), (1, 80, 0)]
)
def test_wrong_shapes_are_told(small, shape):
    with pytest.raises(ValueError, match=r"small expects \[batch, 80, frames\]"):
        small(torch.zeros(shape))


def test_stays_frozen_and_in_evaluation_mode(small):
    assert not small.train().training and not small.encoder.training
    assert not any(parameter.requires_grad for parameter in small.parameters())


def test_adapters_inside_get_gradients_and_the_base_none(small):
    layer = small.encoder.layers[0]
    layer.fc1 = Adapter(layer.fc1).requires_grad_(True)
    layer.fc1.base.requires_grad_(False)
    small.train()
    small(torch.randn(2, 80, 60)).values.square().mean().backward()
    touched = {name for name, p in small.named_parameters() if p.grad is not None}
    assert touched == {f"encoder.layers.0.fc1.{part}.weight" for part in ("up", "down")}
    assert all(small.get_parameter(name).grad.abs().sum() > 0 for name in touched)


def test_unknown_name_lists_the_catalog():
    with pytest.raises(ValueError, match=r"'whisper-huge'.*whisper-tiny\.en"):
        load_encoder("whisper-huge")
