"""Model folders from the Hugging Face hub or its cache."""

from collections.abc import Sequence
from pathlib import Path

# Some repositories hold the weights a second time, as model.fp32-*.safetensors.
WEIGHTS = ["model.safetensors", "model-*-of-*.safetensors", "model.bin"]
FILES = ["*.json", "*.txt", *WEIGHTS]
TIMEOUT_S = 5


def is_hub_id(name: str) -> bool:
    """Say whether a name has the form of an id on the hub, OWNER/NAME."""
    owner, _, rest = name.partition("/")
    return bool(owner and rest) and "/" not in rest and owner not in (".", "..", "~")


def fetch(repository: str, name: str, hint: str = "", files: Sequence[str] = FILES) -> Path:
    """Return the folder of a model, downloading it where the cache does not have it.

    Args:
        repository: OWNER/NAME on the hub.
        name: What the user asked for, for the error.
        hint: What else the user can do, for the error.
        files: Patterns of what is wanted.

    Raises:
        ValueError: Not in the cache and not to be had.
    """
    from huggingface_hub import snapshot_download

    # The cache may hold a part of the files, so the hub is asked first; without network the
    # client takes the cache by itself.
    try:
        found = snapshot_download(repository, allow_patterns=list(files), etag_timeout=TIMEOUT_S)
        return Path(found)
    except Exception as error:  # the client raises many classes, some of them not its own
        raise ValueError(
            f"Model {name!r} ({repository} on the Hugging Face hub) is not in the cache and cannot "
            f"be downloaded ({reason_of(error)}). Check the name and the network, or give a folder"
            f"{hint}."
        ) from error


def reason_of(error: Exception) -> str:
    """Return the first line of what a library says, or what kind of error it is."""
    return str(error).strip().split("\n")[0][:160] or type(error).__name__
