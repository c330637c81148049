"""A small random Whisper behind our own class."""

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from modalities.speech.whisper import Whisper


def build_small() -> Whisper:
    torch.manual_seed(0)
    config = WhisperConfig(
        d_model=32,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=48,
        vocab_size=60_000,
    )
    model = WhisperForConditionalGeneration(config)
    return Whisper(model, None, "small", 80)  # type: ignore[arg-type]
