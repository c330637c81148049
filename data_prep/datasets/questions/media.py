"""Images, or features of videos, found by the names that tables have for them."""

import re
from collections import defaultdict
from collections.abc import Container
from pathlib import Path

from data_prep.media.files import find_files

IMAGES = frozenset(".jpg .jpeg .png .webp .bmp .gif .tif .tiff".split())
FEATURES = frozenset([".npz"])
COCO = re.compile(r"COCO_\w+_(\d{12})")  # since 2017 the number alone


SUFFIX = re.compile(r"\.(jpe?g|png|webp|bmp|gif|tiff?|npz)$", re.IGNORECASE)


class Media:
    """Files below a folder, by their names without suffix; names of videos differ by case alone."""

    def __init__(self, folder: Path, suffixes: Container[str], below: str = "") -> None:
        """Look for all files once.

        Args:
            folder: Absolute; at any depth in it.
            suffixes: In small letters, as ".jpg".
            below: Name of the folder that counts, where files of one name are in several.
        """
        self.folder = folder
        self._below = below
        self._found: defaultdict[str, list[Path]] = defaultdict(list)
        for path in find_files(folder, suffixes):
            self._found[path.stem].append(path)

    def find(self, name: str) -> str:
        """Return the path of a file; "" where there is none.

        Args:
            name: With or without suffix; of COCO with or without its year.

        Raises:
            ValueError: There are several.
        """
        stem = SUFFIX.sub("", name)
        number = COCO.fullmatch(stem)
        found = self._found.get(stem) or self._found.get(number[1] if number else "") or []
        if len(found) > 1:
            found = [path for path in found if self._below in path.parts] or found
        if len(found) > 1:
            raise ValueError(
                f"{name} is in {found[0]} and in {found[1]}; expected one file. Say with --images "
                "which folder counts."
            )
        return str(found[0]) if found else ""
