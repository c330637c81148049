"""Whisper by catalog name, folder, hub id or OpenAI's .pt file."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalities.speech.checkpoint import Checkpoint, build_model
from modalities.speech.vocabulary import Vocabulary
from modalities.speech.whisper_files import check_offline_hash, find_whisper

if TYPE_CHECKING:
    from transformers import WhisperForConditionalGeneration, WhisperTokenizer


@dataclass(frozen=True)
class Whisper:
    """A frozen Whisper.

    Attributes:
        model: float32, in evaluation mode, without gradients, its generation settings complete.
        tokenizer: Its vocabulary.
        name: What was asked for.
        mel_bins: What the model hears: 80, or 128 for large-v3 and its kin.
    """

    model: "WhisperForConditionalGeneration"
    tokenizer: "WhisperTokenizer"
    name: str
    mel_bins: int

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What its tokens stand for."""
        settings: Any = self.model.generation_config
        languages: dict[str, int] = getattr(settings, "lang_to_id", None) or {}
        return Vocabulary(
            self.tokenizer.backend_tokenizer,
            self.model.config.vocab_size,
            self.model.config.decoder_start_token_id,
            settings.eos_token_id,
            settings.no_timestamps_token_id,
            settings.task_to_id["transcribe"] if languages else None,
            {token.strip("<|>"): number for token, number in languages.items()},
        )


def load_whisper(name: str | Path) -> Whisper:
    """Load a Whisper.

    Args:
        name: A folder (transformers or CTranslate2) or a .pt file of OpenAI; else a name of
            `WHISPERS`; else an id on the Hugging Face hub.

    Raises:
        ValueError: No such model, damaged, or not to be had without network.
        FileNotFoundError: No such file.
    """
    path = find_whisper(name)
    if path.suffix.lower() == ".pt" and not path.is_dir():
        from modalities.speech.openai_whisper import read_openai_file

        model, tokenizer = _build(read_openai_file(path))
    else:
        model, tokenizer = _from_folder(path)
    model.eval().requires_grad_(False)
    return Whisper(model, tokenizer, str(name), model.config.num_mel_bins)


def _build(
    checkpoint: Checkpoint,
) -> "tuple[WhisperForConditionalGeneration, WhisperTokenizer]":
    return build_model(checkpoint), checkpoint.tokenizer


def _from_folder(
    folder: Path,
) -> "tuple[WhisperForConditionalGeneration, WhisperTokenizer]":
    if (folder / "model.bin").is_file():
        from modalities.speech.ctranslate2_whisper import read_ctranslate2_folder

        with ThreadPoolExecutor(1) as pool:  # hashing leaves the interpreter free meanwhile
            checked = pool.submit(check_offline_hash, folder)
            checkpoint = read_ctranslate2_folder(folder)
        checked.result()
        return _build(checkpoint)
    from modalities.speech.transformers_whisper import load_transformers_folder

    return load_transformers_folder(folder)
