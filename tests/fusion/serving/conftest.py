"""A small random Whisper with the decoder that reads one token at a time, and sets on it."""

from collections.abc import Callable

import pytest
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from fusion.adapters.interface import Adapters, attach
from modalities.speech.step_decoder import StepDecoder

DECODER = tuple(f"decoder.{role}" for role in "qkvo")


def build(dim: int = 32, frames: int = 20) -> WhisperForConditionalGeneration:
    config = WhisperConfig(
        d_model=dim,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        vocab_size=99,
        max_source_positions=frames,
        max_target_positions=24,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    torch.manual_seed(0)
    return WhisperForConditionalGeneration(config).eval().requires_grad_(False)


@pytest.fixture
def whisper() -> WhisperForConditionalGeneration:
    return build()


@pytest.fixture
def steps(whisper) -> StepDecoder:
    return StepDecoder(whisper)


@pytest.fixture
def adapters(whisper) -> Adapters:
    return Adapters(whisper)


@pytest.fixture
def add(adapters) -> Callable[..., None]:
    """Puts a LoRA that is not fresh on the model: name, where, rank, sizes of A and B."""

    def put(name: str, where=DECODER, rank: int = 4, down: float = 0.2, up: float = 0.2) -> None:
        attach(adapters.model, "lora", {"rank": rank, "alpha": 2 * rank}, where, name=name)
        generator = torch.Generator().manual_seed(sum(map(ord, name)))
        with torch.no_grad():
            for path, parameter in adapters.named_parameters(name).items():
                size = down if "lora_A" in path else up
                parameter.copy_(size * torch.randn(parameter.shape, generator=generator))
        adapters.use(None)

    return put
