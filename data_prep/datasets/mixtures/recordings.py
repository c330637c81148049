"""Videos, sounds and pictures below a folder, found by the names that tables have for them."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from data_prep.media.files import SOUNDS, VIDEOS, find_files

PICTURES = frozenset(".jpg .jpeg .png .webp".split())
FRAME = re.compile(r"(.+)_frame_\d+")  # several pictures of one recording


class Recordings:
    """Files below a folder, by their names without suffix."""

    def __init__(self, folder: Path):
        """Look for all files once.

        Args:
            folder: Absolute; at any depth in it.
        """
        self.folder = folder
        self._found: defaultdict[str, list[Path]] = defaultdict(list)
        self._pictures: defaultdict[str, list[Path]] = defaultdict(list)
        for path in find_files(folder, VIDEOS | SOUNDS | PICTURES):
            if path.suffix.lower() in PICTURES:
                frame = FRAME.fullmatch(path.stem)
                self._pictures[frame[1] if frame else path.stem].append(path)
            else:
                self._found[path.stem].append(path)

    def find(self, names: Sequence[str]) -> Path | None:
        """Return a recording; a video where there is a sound of its name, too; None without any.

        Args:
            names: What it may be called, without suffix; the first that is there counts.

        Raises:
            ValueError: There are several videos, or several sounds and no video, of a name.
        """
        for name in names:
            found = self._found.get(name, [])
            videos = [path for path in found if self.is_video(path)]
            chosen = videos or found
            if len(chosen) > 1:
                raise ValueError(
                    f"{name} is in {chosen[0]} and in {chosen[1]}; expected one file. Say with "
                    "--media which folder counts."
                )
            if chosen:
                return chosen[0]
        return None

    def find_picture(self, names: Sequence[str]) -> Path | None:
        """Return a picture of the same name, of several frames the one in the middle; or None."""
        found = next((self._pictures[name] for name in names if name in self._pictures), [])
        return found[(len(found) - 1) // 2] if found else None

    def is_video(self, path: Path) -> bool:
        """Whether a recording has pictures, by its suffix."""
        return path.suffix.lower() in VIDEOS
