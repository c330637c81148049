"""Sounds as tokens: as many of each, of its true length alone."""

import numpy as np
import pytest
import torch

from modalities.audio.ast import random_ast
from modalities.audio.audio_encoder import AudioEncoder
from modalities.audio.clap import random_clap
from modalities.speech.whisper_audio_encoder import WhisperAudioEncoder
from modalities.vision_language.sound_grid import SoundGrid

from ..conftest import build_small

LAYERS = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48)
CLAP = dict(patch_embeds_hidden_size=8, depths=(1, 1), num_attention_heads=(1, 2), hidden_size=16)
BUILDERS = {
    "ast": lambda: random_ast(**LAYERS),
    "clap": lambda: random_clap(**CLAP),
    "whisper": lambda: WhisperAudioEncoder(build_small()),
}


@pytest.fixture(params=BUILDERS)
def encoder(request) -> AudioEncoder:
    return BUILDERS[request.param]()


def sound(samples: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).normal(size=samples).astype(np.float32)


@pytest.mark.parametrize("samples", [1, 4_000, 40_001])
@torch.no_grad()
def test_sounds_of_any_length_are_as_many_tokens(encoder, samples):
    grid = SoundGrid(encoder, 12)
    tokens = grid(grid.prepare(sound(samples))[None].expand(2, -1))
    assert tokens.shape == (2, grid.tokens, grid.dim) == (2, 12, encoder.dim)
    assert torch.isfinite(tokens).all()
    torch.testing.assert_close(tokens[0], tokens[1])


@torch.no_grad()
def test_tokens_are_the_mean_over_equal_stretches_of_time(encoder):
    grid, waveform = SoundGrid(encoder, 1), torch.from_numpy(sound(24_000))[None]
    features = encoder(*encoder.prepare(waveform, torch.tensor([24_000])))
    values, mask = features.values, features.mask.clone()
    mask[:, : encoder.special_tokens] = False
    torch.testing.assert_close(grid(waveform)[0, 0], values[mask].mean(0))


@pytest.mark.parametrize("kind", ["ast", "whisper"])
@torch.no_grad()
def test_tokens_are_in_the_order_of_time(kind):
    grid = SoundGrid(BUILDERS[kind](), 4)
    first, second = sound(32_000), sound(32_000)
    second[24_000:] *= 20
    change = (grid(torch.from_numpy(second)[None]) - grid(torch.from_numpy(first)[None]))[0]
    assert change.norm(dim=1).argmax() == 3


@torch.no_grad()
def test_a_long_sound_is_heard_to_its_end(encoder):
    grid = SoundGrid(encoder, 6)
    grid.longest = 16_000
    first = torch.from_numpy(sound(40_000))[None]
    second = first.clone()
    second[:, 38_000:] = 0.5
    change = (grid(second) - grid(first))[0].norm(dim=1)
    assert change[-1] > 10 * change[0] and change[:4].max() < 1e-4


def test_it_is_frozen_and_has_an_identity_of_its_weights_and_tokens(encoder):
    grid = SoundGrid(encoder)
    assert not any(parameter.requires_grad for parameter in grid.parameters())
    assert grid.tokens == 36 and grid.takes == "sound"
    before = {grid.identity, SoundGrid(encoder, 35).identity}
    next(iter(encoder.parameters())).data.add_(1e-3)
    assert len(before | {SoundGrid(encoder).identity}) == 3


def test_what_is_no_sound_is_refused():
    grid = SoundGrid(BUILDERS["whisper"]())
    for wrong in (np.zeros((2, 100), np.float32), np.zeros(0, np.float32)):
        with pytest.raises(ValueError, match=r"expected \[samples\], one or more, at 16000 Hz"):
            grid.prepare(wrong)
    with pytest.raises(ValueError, match="0 tokens of a sound"):
        SoundGrid(BUILDERS["whisper"](), 0)
