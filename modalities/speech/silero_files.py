"""The files of Silero's speech detector, in the wheel that brings them."""

import importlib.util
from pathlib import Path


def find_silero_file(name: str, version: str, remedy: str) -> Path:
    """Find a file of the wheel silero-vad without importing it.

    Args:
        name: Path of the file below the wheel's package.
        version: The wheel's version that holds the file, for the message.
        remedy: What can be done without it, for the message.

    Raises:
        ValueError: The wheel is not installed, or holds no such file.
    """
    spec = importlib.util.find_spec("silero_vad")
    path = Path(spec.origin).parent / name if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ValueError(
            f"The file {name} of the speech detector is missing; expected the wheel silero-vad "
            f"{version}. Install it, {remedy}."
        )
    return path
