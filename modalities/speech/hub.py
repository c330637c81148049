"""Model folders from the Hugging Face hub or its cache."""

import os
from pathlib import Path

FILES = ["*.json", "*.txt", "*.safetensors", "model.bin"]


def fetch(repository: str, name: str) -> Path:
    """Return the folder of a model, downloading it where the cache does not have it.

    Args:
        repository: OWNER/NAME on the hub.
        name: What the user asked for, for the error.

    Raises:
        ValueError: Not in the cache and not to be had.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, allow_patterns=FILES, local_files_only=True))
    except Exception:  # not cached; the hub is asked next
        pass
    # A machine without network should say so in seconds, not after minutes of retries.
    os.environ.setdefault("HF_HUB_ETAG_TIMEOUT", "5")
    try:
        return Path(snapshot_download(repository, allow_patterns=FILES))
    except Exception as error:  # the client raises many classes, some of them not its own
        reason = str(error).split("\n")[0][:160] or type(error).__name__
        raise ValueError(
            f"Model {name!r} ({repository} on the Hugging Face hub) is not in the cache and cannot "
            f"be downloaded ({reason}). Check the name and the network, or give a folder."
        ) from error
