"""Frozen encoders by name."""

from collections.abc import Callable
from pathlib import Path

from modalities.audio.ast import ASTS, RANDOM, load_ast
from modalities.audio.audio_encoder import AudioEncoder
from modalities.audio.clap import CLAPS, load_clap_audio
from modalities.empty_name import refuse_empty_name
from modalities.encoder import FrozenEncoder
from modalities.hub import fetch, is_hub_id
from modalities.pretrained import read_model_type
from modalities.speech.whisper_audio_encoder import load_whisper_audio_encoder
from modalities.speech.whisper_encoder import load_whisper_encoder
from modalities.speech.whisper_names import WHISPERS
from modalities.vision.lips import SHIPPED, load_lip_encoder

ENCODERS: dict[str, Callable[[str], FrozenEncoder]] = {
    **dict.fromkeys(WHISPERS, load_whisper_encoder),
    **dict.fromkeys(SHIPPED, load_lip_encoder),
}
AUDIO_ENCODERS: dict[str, Callable[[str], AudioEncoder]] = {
    **dict.fromkeys([*ASTS, RANDOM], load_ast),
    **dict.fromkeys(CLAPS, load_clap_audio),
    **dict.fromkeys(WHISPERS, load_whisper_audio_encoder),
}
AUDIO_TYPES: dict[str | None, Callable[[str], AudioEncoder]] = {
    "audio-spectrogram-transformer": load_ast,
    "clap": load_clap_audio,
    "clap_audio_model": load_clap_audio,
    "whisper": load_whisper_audio_encoder,
    None: load_whisper_audio_encoder,  # CTranslate2's folders tell no type
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


def load_audio_encoder(name: str | Path) -> AudioEncoder:
    """Load a frozen encoder of clips of sound.

    Args:
        name: A folder or an OpenAI .pt file; else a name of `AUDIO_ENCODERS`; else a hub id.

    Raises:
        ValueError: No such model, damaged, or not to be had without network.
        FileNotFoundError: No such file.
    """
    return _find_audio_loader(str(name))(str(name))


def _find_audio_loader(name: str) -> Callable[[str], AudioEncoder]:
    refuse_empty_name(name, "model")
    path = Path(name).expanduser()
    if path.is_dir():
        found = read_model_type(path)
    elif path.suffix.lower() == ".pt":
        found = "whisper"
    elif name in AUDIO_ENCODERS:
        return AUDIO_ENCODERS[name]
    elif is_hub_id(name):
        found = read_model_type(fetch(name, name, files=["config.json"]))
    else:
        known = ", ".join(AUDIO_ENCODERS)
        raise ValueError(
            f"No audio encoder {name!r}: it is neither a folder nor a .pt file nor an id on the "
            f"Hugging Face hub (OWNER/NAME). Known names: {known}."
        )
    if found not in AUDIO_TYPES:
        known = ", ".join(str(kind) for kind in AUDIO_TYPES if kind)
        raise ValueError(f"{name!r} is a model of type {found!r}; expected one of {known}.")
    return AUDIO_TYPES[found]
