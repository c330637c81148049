"""What is told where a command over many clips has made nothing."""

from collections.abc import Mapping
from pathlib import Path

SHOWN = 10


def refuse_nothing(made: int, failed: Mapping[str, str], path: Path, things: str = "clips") -> None:
    """Tell of each clip why nothing came of it, where nothing came of any.

    Args:
        made: Clips that something came of, now or by a former call.
        failed: Why nothing came of the others, by their ids.
        path: File that holds all reasons; a message holds ten at most.
        things: What they are, where they are no clips.

    Raises:
        ValueError: Nothing came of any.
    """
    if made:
        return
    raise ValueError(
        f"Of {len(failed)} {things} not one could be taken, as {path} says: "
        + " ".join(tell_some(failed).split("\n"))
    )


def tell_some(failed: Mapping[str, str]) -> str:
    """Return why clips failed, a line each; of many the first ten, and how many more."""
    lines = [f"{name}: {reason}" for name, reason in list(failed.items())[:SHOWN]]
    if len(failed) > SHOWN:
        lines.append(f"and {len(failed) - SHOWN} more")
    return "\n".join(lines)
