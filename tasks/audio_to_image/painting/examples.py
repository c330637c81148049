"""Rows of an experiment, parted, with their pictures in the sizes that are learnt."""

from collections.abc import Sequence

import cv2
import numpy as np
from torch import Tensor

from data_prep.masks.images import read_image, to_8_bits
from tasks.audio_to_image.painting.config import PictureDataOptions
from tasks.audio_to_image.painting.manifest import SoundedPicture

KEPT_BYTES = 512 * 1024**2  # of pictures that are read once
Size = tuple[int, int]


class Examples:
    """Some rows, and what they look and sound like.

    Args:
        rows: With absolute paths.
        embeddings: What they sound like, [rows, sources, dim], or None for pictures alone.
        sizes: Height and width of those that are learnt.
    """

    def __init__(
        self, rows: Sequence[SoundedPicture], embeddings: Tensor | None, sizes: Sequence[Size]
    ):
        self.rows, self.embeddings, self.sizes = rows, embeddings, sizes
        self._kept: dict[str, np.ndarray] = {}
        self._room = KEPT_BYTES

    def __len__(self) -> int:
        return len(self.rows)

    def picture(self, index: int) -> np.ndarray:
        """Return a picture in one of the sizes, uint8 [height, width, 3].

        Raises:
            FileNotFoundError: It is not there.
            ValueError: It cannot be read.
        """
        path = self.rows[index].picture
        if path in self._kept:
            return self._kept[path]
        values = read_image(path).values
        fitted = fit_picture(values, nearest_size(values.shape[:2], self.sizes))
        if fitted.nbytes <= self._room:
            self._kept[path] = fitted
            self._room -= fitted.nbytes
        return fitted


def nearest_size(shape: Sequence[int], sizes: Sequence[Size]) -> Size:
    """Return the size whose shape is nearest to a picture's.

    Args:
        shape: Height and width of the picture.
        sizes: To choose from; of several that are as near the first.
    """
    return min(sizes, key=lambda size: abs(np.log(shape[0] * size[1] / (shape[1] * size[0]))))


def fit_picture(values: np.ndarray, size: Size) -> np.ndarray:
    """Return a picture in a size, as large a part of it from the middle as has that shape.

    Args:
        values: 0..1, [height, width, 3].
        size: Height and width wanted.

    Returns:
        uint8, [*size, 3].
    """
    height, width = values.shape[:2]
    share = min(height / size[0], width / size[1])
    cut = [max(1, round(share * side)) for side in size]
    top, left = (height - cut[0]) // 2, (width - cut[1]) // 2
    values = values[top : top + cut[0], left : left + cut[1]]
    if values.shape[:2] != size:
        shrinks = share > 1
        how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        values = cv2.resize(values, size[::-1], interpolation=how)
    return to_8_bits(values)


def part_rows(rows: Sequence[SoundedPicture], options: PictureDataOptions) -> dict[str, list[int]]:
    """Return the numbers of the rows that train, and of those that are measured.

    Where no row is called validation, a share of the pictures is held back; rows of one picture
    stay together.

    Raises:
        ValueError: None is left to train.
    """
    train = [n for n, row in enumerate(rows) if row.fold in ("", "train")]
    validation = [n for n, row in enumerate(rows) if row.fold == "validation"]
    if not validation and options.validation:
        pictures = sorted({rows[n].picture for n in train})
        random = np.random.default_rng(options.seed)
        count = round(options.validation * len(pictures))
        held = set(random.permutation(pictures)[:count].tolist())
        validation = [n for n in train if rows[n].picture in held]
        train = [n for n in train if rows[n].picture not in held]
    if not train:
        raise ValueError(
            f"{options.folder or 'The data'} has no pictures to train on; expected some in the "
            "fold train, or in none."
        )
    return {"train": train, "validation": validation}
