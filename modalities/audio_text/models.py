"""Sound and text in one space: the contract, and models of it by name, folder or checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor

from modalities.audio.clap import CLAPS
from modalities.audio_text.clap_audio_text import (
    ClapAudioText,
    load_clap_audio_text,
    save_clap_audio_text,
)
from modalities.audio_text.laion_clap import load_laion_clap
from modalities.audio_text.small_audio_text import (
    FILE,
    SmallAudioText,
    load_small_audio_text,
    save_small_audio_text,
)
from modalities.audio_text.whisper_audio_text import FILE as WHISPER_FILE
from modalities.audio_text.whisper_audio_text import (
    WhisperAudioText,
    load_whisper_audio_text,
    save_whisper_audio_text,
)
from modalities.empty_name import refuse_empty_name
from modalities.folder_contents import CONFIG, describe_folder
from modalities.hub import is_hub_id
from modalities.spelling import did_you_mean

SHIPPED = {"scenes": Path(__file__).parent / "weights" / "scenes"}


@runtime_checkable
class AudioText(Protocol):
    """A frozen model that embeds sound, with gradients for it, and text, as unit vectors.

    Attributes:
        name: What was asked for.
        rate_hz: Samples per second that its sound has to be at.
        dim: Features of an embedding.
    """

    name: str
    rate_hz: int
    dim: int

    @property
    def identity(self) -> str:
        """What tells it from all others: another identity, other embeddings."""
        ...

    def embed_audio(self, waves: Tensor) -> Tensor:
        """Embed [rows, samples] at `rate_hz`, of any length, all rows as one batch: [rows, dim]."""
        ...

    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """Embed one text or more: [texts, dim], without gradients."""
        ...


def load_audio_text(name: str | Path = "clap-htsat-unfused") -> AudioText:
    """Load a frozen model of sound and text.

    Args:
        name: A folder that transformers saved a CLAP in, or `save_audio_text` one of any kind;
            a checkpoint of LAION's (.pt); else "scenes", a small one that comes with mcgurk and
            knows rendered sounds alone, or "clap-htsat-unfused"; else a hub id.

    Raises:
        ValueError: No such model, damaged, one that fuses views of long clips, or not to be had
            without network.
    """
    refuse_empty_name(name, "model")
    path = Path(name).expanduser()
    if str(name) in SHIPPED and not path.is_dir():
        return _load_shipped(str(name))
    if (path / FILE).is_file():
        return load_small_audio_text(path)
    if (path / WHISPER_FILE).is_file():
        return load_whisper_audio_text(path)
    if path.suffix.lower() in (".pt", ".pth", ".ckpt") and not path.is_dir():
        return load_laion_clap(path)
    if path.is_dir() and not (path / CONFIG).is_file():
        raise ValueError(
            f"{path} holds {describe_folder(path)}; expected a model of sound and text: a CLAP as "
            f"transformers saves it ({CONFIG}), or a small one ({FILE}). Name the folder of one."
        )
    if not (path.is_dir() or str(name) in CLAPS or is_hub_id(str(name))):
        known = (*SHIPPED, *CLAPS)
        raise ValueError(
            f"No model of sound and text {str(name)!r}: it is neither a folder, nor a checkpoint "
            "(.pt), nor an id on the Hugging Face hub (OWNER/NAME). Known names: "
            f"{', '.join(known)}.{did_you_mean(name, known)}"
        )
    return load_clap_audio_text(name)


def _load_shipped(name: str) -> SmallAudioText:
    if not (SHIPPED[name] / FILE).is_file():
        raise ValueError(
            f"The model {name!r} is not there yet; in a checkout `make audio-to-image-weights` "
            "trains it. Take a folder, or a name of the hub."
        )
    model = load_small_audio_text(SHIPPED[name])
    model.name = name
    return model


def save_audio_text(model: AudioText, folder: str | Path) -> None:
    """Write a model so that `load_audio_text` reads it: a converted checkpoint, or a trained one.

    Args:
        model: A CLAP, written as transformers does, or one that was trained here, in float16.
        folder: Made where it is not there.

    Raises:
        OSError: The folder cannot be written.
        ValueError: A model of another kind.
    """
    if isinstance(model, SmallAudioText):
        save_small_audio_text(model, folder)
    elif isinstance(model, WhisperAudioText):
        save_whisper_audio_text(model, folder)
    elif isinstance(model, ClapAudioText):
        save_clap_audio_text(model, folder)
    else:
        raise ValueError(
            f"{type(model).__name__} {model.name} cannot be written; expected a ClapAudioText, a "
            "SmallAudioText or a WhisperAudioText."
        )
