"""What holds for every frozen encoder, over the tables of the catalog."""

from collections.abc import Callable

import pytest
import torch

from fusion.adapters import attach
from modalities.audio.ast import load_ast, random_ast
from modalities.audio.clap import load_clap_audio, random_clap
from modalities.catalog import AUDIO_ENCODERS, AUDIO_TYPES, ENCODERS
from modalities.encoder import Features, FrozenEncoder
from modalities.speech.whisper_audio_encoder import WhisperAudioEncoder, load_whisper_audio_encoder
from modalities.speech.whisper_encoder import WhisperEncoder, load_whisper_encoder
from modalities.vision.lips import LipEncoder, LipNetwork, LipOptions, load_lip_encoder

from .conftest import build_small

Inputs = tuple[torch.Tensor, ...]


def small_ast() -> FrozenEncoder:
    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48)
    return random_ast(**sizes)


def small_clap() -> FrozenEncoder:
    sizes = dict(patch_embeds_hidden_size=8, depths=(1, 1), num_attention_heads=(1, 2))
    return random_clap(**sizes, hidden_size=16)


def small_lips() -> FrozenEncoder:
    return LipEncoder(LipNetwork(LipOptions(words=("a", "b"), channels=(4, 8), dim=16, layers=1)))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def spectrograms(encoder: FrozenEncoder) -> Inputs:
    return noise(2, 80, 100), torch.arange(100)[None] < torch.tensor([[100], [60]])


def mouths(encoder: FrozenEncoder) -> Inputs:
    crops = (128 + 40 * noise(2, 12, 96, 96)).clamp(0, 255).to(torch.uint8)
    return crops, torch.arange(12)[None] < torch.tensor([[12], [7]])


def sounds(encoder) -> Inputs:
    return encoder.prepare(0.1 * noise(2, 16_000), torch.tensor([16_000, 9_000]))


# A small encoder of the class that each loader gives, and what it reads. A loader without a line
# here fails the first test.
SMALL: dict[Callable, tuple[Callable[[], FrozenEncoder], Callable[..., Inputs]]] = {
    load_whisper_encoder: (lambda: WhisperEncoder(build_small()), spectrograms),
    load_lip_encoder: (small_lips, mouths),
    load_ast: (small_ast, sounds),
    load_clap_audio: (small_clap, sounds),
    load_whisper_audio_encoder: (lambda: WhisperAudioEncoder(build_small()), sounds),
}
LOADERS = {*ENCODERS.values(), *AUDIO_ENCODERS.values(), *AUDIO_TYPES.values()}


def test_every_loader_of_the_catalog_is_tested_here():
    assert set(SMALL) == LOADERS


@pytest.fixture(params=SMALL, ids=lambda loader: loader.__name__)
def case(request) -> tuple[FrozenEncoder, Inputs]:
    build, read = SMALL[request.param]
    torch.manual_seed(0)
    encoder = build()
    return encoder, read(encoder)


def test_features_have_a_mask_and_a_rate(case):
    encoder, inputs = case
    features = encoder(*inputs)
    assert isinstance(features, Features) and features.values.ndim == 3
    assert features.values.isfinite().all()
    assert features.mask.dtype == torch.bool and features.mask.shape == features.values.shape[:2]
    assert features.mask.any(1).all() and features.mask[0].sum() > features.mask[1].sum()
    assert features.rate_hz >= 0


def test_it_is_frozen_and_stays_in_evaluation_mode(case):
    encoder, inputs = case
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    first = encoder(*inputs).values
    assert not encoder.train().training
    assert not any(module.training for module in encoder.modules())
    assert torch.equal(encoder(*inputs).values, first)
    after = encoder.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_row_is_encoded_as_it_is_alone(case):
    encoder, inputs = case
    together = encoder(*inputs)
    for row in range(2):
        alone = encoder(*(part[row : row + 1] for part in inputs))
        assert torch.equal(alone.mask, together.mask[row : row + 1])
        real = alone.mask[0]
        torch.testing.assert_close(
            alone.values[0, real], together.values[row, real], atol=1e-5, rtol=1e-4
        )


def test_adapters_inside_get_gradients_and_the_encoder_none(case):
    encoder, inputs = case
    names = [name for name, m in encoder.named_modules() if isinstance(m, torch.nn.Linear)]
    linears = [name for name in names if not name.endswith("out_proj")][-3:]
    adapters = attach(encoder, "lora", {"rank": 2}, linears)
    ours = {id(parameter) for parameter in adapters.parameters("default")}
    with torch.no_grad():
        for parameter in adapters.parameters("default"):
            parameter += 0.1
    encoder.train()
    encoder(*inputs).values.square().mean().backward()
    reached = {id(p) for p in encoder.parameters() if p.grad is not None}
    assert reached and reached <= ours
