"""A Whisper from a folder that transformers saved."""

from pathlib import Path
from typing import TYPE_CHECKING

from modalities.folder_contents import describe_folder
from modalities.hub import reason_of
from modalities.pretrained import load_model

if TYPE_CHECKING:
    from transformers import WhisperForConditionalGeneration, WhisperTokenizer

NEEDED = ("suppress_tokens", "no_timestamps_token_id")


def load_transformers_folder(
    folder: Path,
) -> "tuple[WhisperForConditionalGeneration, WhisperTokenizer]":
    """Load config.json, model.safetensors, tokenizer and generation settings.

    Args:
        folder: Missing generation settings are completed from sizes and vocabulary.

    Raises:
        ValueError: Not a Whisper, damaged, or without a tokenizer.
    """
    from transformers.models.whisper.modeling_whisper import WhisperForConditionalGeneration

    from modalities.speech.generation import build_generation_config

    if not (folder / "config.json").is_file():
        raise ValueError(
            f"{folder} holds neither model.bin nor config.json: it holds "
            f"{describe_folder(folder)}; expected a Whisper saved by transformers or converted for "
            "CTranslate2. Name the folder of one."
        )
    model = load_model(WhisperForConditionalGeneration, folder, ("whisper",))
    tokenizer = _load_tokenizer(folder, model.config.vocab_size)
    settings = model.generation_config
    if any(getattr(settings, name, None) is None for name in NEEDED):
        heads = getattr(settings, "alignment_heads", None)
        model.generation_config = build_generation_config(model.config, tokenizer, heads)
    elif getattr(settings, "alignment_heads", None) is None:
        completed = build_generation_config(model.config, tokenizer)
        settings.alignment_heads = completed.alignment_heads  # type: ignore[attr-defined]
    return model, tokenizer


def _load_tokenizer(folder: Path, vocabulary: int) -> "WhisperTokenizer":
    from transformers.models.whisper.tokenization_whisper import WhisperTokenizer

    from modalities.speech.tokenizer import find_tokenizer

    if (folder / "tokenizer.json").is_file() or not (folder / "vocab.json").is_file():
        return find_tokenizer(folder, vocabulary)
    try:
        return WhisperTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises Exception itself
        raise ValueError(f"{folder} has a damaged vocabulary ({reason_of(error)}).") from error
