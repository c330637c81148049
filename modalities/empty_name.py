"""A name that is empty, which as a path would be the current folder."""

from pathlib import Path


def refuse_empty_name(name: str | Path, what: str) -> None:
    """Check the name or place of something that is to be loaded.

    Args:
        name: As it was given.
        what: What it is of, as "model".

    Raises:
        ValueError: It is empty, or of spaces alone.
    """
    if not str(name).strip():
        raise ValueError(
            f"The name of the {what} is empty ({str(name)!r}); expected a folder, or a known name."
        )
