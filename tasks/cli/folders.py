"""Pictures in a folder that a command was given."""

from collections.abc import Sequence
from pathlib import Path


def find_pictures(folder: Path, outputs: Sequence[Path] = ()) -> list[Path]:
    """Find the pictures of a folder, at any depth.

    Args:
        folder: Where to look.
        outputs: Folders of which nothing is taken: it may come of an earlier call.

    Returns:
        One or more.

    Raises:
        ValueError: There are none.
    """
    from data_prep.masks.images import PICTURES
    from data_prep.media.files import find_files

    left = [place.resolve() for place in outputs]
    found = [
        path
        for path in find_files(folder, PICTURES)
        if not any(path.resolve().is_relative_to(place) for place in left)
    ]
    if not found:
        raise ValueError(
            f"{folder} holds no pictures; expected some of {', '.join(sorted(PICTURES))}."
        )
    return found
