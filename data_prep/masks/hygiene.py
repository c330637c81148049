"""Pictures that come twice, and such that train and test: found by their pixels, and taken out."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from data_prep.masks.images import read_image
from data_prep.masks.manifest import FOLDS, MaskedImage

ROWS_AT_ONCE = 256
SHOWN = 3
# Whose copies go: training gives way to both, and what chooses a model to what tests it.
YIELDS = {"train": ("validation", "test"), "validation": ("test",)}


@dataclass(frozen=True)
class Repeats:
    """Rows whose pictures are the same, to the pixel.

    Attributes:
        duplicates: Ids of rows of one fold and class, each group in the order of the manifest.
        overlaps: Ids by two folds, as "train/test", in which a picture lies in both.
    """

    duplicates: tuple[tuple[str, ...], ...]
    overlaps: dict[str, tuple[tuple[str, ...], ...]]

    def told(self) -> list[str]:
        """Return a sentence for each kind of repeat, with the ids of some rows."""
        within = {"Pictures that come twice within a fold": self.duplicates}
        across = {
            f"Pictures that are in {pair.replace('/', ' and ')}": found
            for pair, found in self.overlaps.items()
        }
        return [
            f"{about} ({len(found)}): {'; '.join(' = '.join(ids) for ids in found[:SHOWN])}"
            f"{'; ...' if found[SHOWN:] else ''}."
            for about, found in (within | across).items()
            if found
        ]


def hash_pixels(values: np.ndarray) -> str:
    """Return the same text for the same pixels, whatever file they came from.

    Args:
        values: float32 [height, width, 3], as `read_image` returns them: a picture stored as PNG
            and as TIFF, grey or with three equal channels, is one; one saved anew as JPEG is not.
    """
    digest = hashlib.sha256(repr(values.shape).encode())
    for start in range(0, len(values), ROWS_AT_ONCE):
        digest.update(np.ascontiguousarray(values[start : start + ROWS_AT_ONCE]).data)
    return digest.hexdigest()


def hash_images(rows: Iterable[MaskedImage]) -> dict[str, str]:
    """Return the hash of each picture's pixels by its path; each is read once.

    Raises:
        FileNotFoundError: A picture is not there.
        ValueError: One cannot be read.
    """
    return {path: hash_pixels(read_image(path).values) for path in {row.image for row in rows}}


def find_repeats(rows: Sequence[MaskedImage], hashes: Mapping[str, str]) -> Repeats:
    """Find rows of the same picture.

    Args:
        rows: Those of a manifest. Of one picture and different classes they are no repeats.
        hashes: Hash of the pixels by the picture's path, for all of them, see `hash_images`.
    """
    same: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    folds: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        same[hashes[row.image], row.fold, row.label].append(row.id)
        folds[hashes[row.image]][row.fold].append(row.id)
    overlaps = {
        f"{one}/{other}": tuple(
            (*found[one], *found[other])
            for found in folds.values()
            if one in found and other in found
        )
        for one, other in combinations(FOLDS, 2)
    }
    duplicates = tuple(tuple(ids) for ids in same.values() if len(ids) > 1)
    return Repeats(duplicates, {pair: found for pair, found in overlaps.items() if found})


def clean_splits(
    rows: Sequence[MaskedImage], hashes: Mapping[str, str]
) -> tuple[list[MaskedImage], dict[str, str]]:
    """Take out what must not train, or not choose a model; test stays as it was published.

    Args:
        rows: Those of a manifest, in whose order the first of duplicates is kept.
        hashes: Hash of the pixels by the picture's path, for all of them, see `hash_images`.

    Returns:
        The rows that stay, in their order, and why the others went, by their ids: rows of train
        whose pictures are in validation or test, rows of validation whose pictures are in test,
        and in train all but the first of duplicates.
    """
    places: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        places[hashes[row.image]].setdefault(row.fold, row.id)
    kept, gone, seen = [], {}, {}
    for row in rows:
        key = (hashes[row.image], row.label, row.fold)
        other = next((f for f in YIELDS.get(row.fold, ()) if f in places[key[0]]), None)
        if other is not None:
            gone[row.id] = f"its picture is in {other}, too, as {places[key[0]][other]}"
        elif row.fold != "test" and key in seen:
            gone[row.id] = f"its picture comes twice, before as {seen[key]}"
        else:
            seen[key] = row.id
            kept.append(row)
    return kept, gone
