"""Frozen encoders by name."""

from collections.abc import Callable
from pathlib import Path

from modalities.encoder import FrozenEncoder
from modalities.speech.encoder import load_whisper_encoder
from modalities.speech.whisper_names import WHISPERS
from modalities.vision.lips import SHIPPED, load_lip_encoder

ENCODERS: dict[str, Callable[[str], FrozenEncoder]] = {
    **dict.fromkeys(WHISPERS, load_whisper_encoder),
    **dict.fromkeys(SHIPPED, load_lip_encoder),
}


def load_encoder(name: str | Path) -> FrozenEncoder:
    """Load a frozen encoder.

    Args:
        name: A folder or an OpenAI .pt file; else a name of `ENCODERS`; else a hub id.

    Raises:
        ValueError: No such model, damaged, or not to be had without network.
        FileNotFoundError: No such file.
    """
    # Whisper's loader knows folders, files and hub ids as well.
    return ENCODERS.get(str(name), load_whisper_encoder)(str(name))
