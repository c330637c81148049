"""What is told where a command over many clips, pictures or rows has made nothing."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

SHOWN = 10


def refuse_empty(source: Path, found: int, things: str) -> None:
    """Say what a data set has none of, where its tables are there and empty.

    Args:
        source: Its folder.
        found: How many were found, those that cannot be taken included.
        things: What they are.

    Raises:
        ValueError: None was found.
    """
    if not found:
        raise ValueError(
            f"{source} has tables and no {things} in them; expected some. Get them anew."
        )


def refuse_nothing(
    made: int, failed: Mapping[str, str], path: Path | None, things: str = "clips"
) -> None:
    """Tell of each clip why nothing came of it, where nothing came of any.

    Args:
        made: Clips that something came of, now or by a former call.
        failed: Why nothing came of the others, by their ids.
        path: File that holds all reasons, a message holds ten at most; None where none is written.
        things: What they are, where they are no clips.

    Raises:
        ValueError: Nothing came of any.
    """
    if made:
        return
    where = "" if path is None else f", as {path} says"
    raise ValueError(
        f"Of {len(failed)} {things} not one could be taken{where}: "
        + " ".join(tell_some(failed).split("\n"))
    )


def tell_some(failed: Mapping[str, str]) -> str:
    """Return why clips failed, a line each; of many the first ten, and how many more.

    A reason that begins with the name is the whole line.
    """
    lines = [
        reason if reason.startswith(name) else f"{name}: {reason}"
        for name, reason in list(failed.items())[:SHOWN]
    ]
    if len(failed) > SHOWN:
        lines.append(f"and {len(failed) - SHOWN} more")
    return "\n".join(lines)


def tell_notes(noted: Mapping[str, str]) -> list[str]:
    """Return what was made of files that are not plain, a line for each kind of it.

    Args:
        noted: By a file's name what is said of it, "" for nothing.
    """
    lines = []
    for note, count in Counter(filter(None, noted.values())).items():
        first = next(name for name, of in noted.items() if of == note)
        lines.append(f"{first if count == 1 else f'{count} of the pictures'}: {note}.")
    return lines
