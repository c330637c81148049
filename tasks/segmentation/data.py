"""The images of an experiment, and which of them train."""

from collections.abc import Sequence
from dataclasses import dataclass

from data_prep.datasets.masks.catalog import MASK_DATASETS
from data_prep.json_lines import find_manifest
from data_prep.masks.hygiene import clean_splits, hash_images
from data_prep.masks.images import read_pair
from data_prep.masks.manifest import FOLDS, MANIFEST, MaskedImage, read_masks
from data_prep.masks.splits import hold_back, split_masks
from fusion.contract.options import check_choice
from tasks.segmentation.config import MaskDataOptions

FROM_MANIFEST = "manifest"


@dataclass(frozen=True)
class Masks:
    """Rows by their part, and what is known of all.

    Attributes:
        parts: Rows of "train", "validation" and "test".
        labels: The classes that occur, sorted.
        left_out: A line on each row that cannot be used.
    """

    parts: dict[str, tuple[MaskedImage, ...]]
    labels: tuple[str, ...]
    left_out: tuple[str, ...]


def find_masks(options: MaskDataOptions) -> Masks:
    """Find the images of an experiment, and part them.

    Raises:
        FileNotFoundError: There is no such folder or manifest.
        ValueError: It holds something else, nothing to train on, or cannot be parted.
    """
    rows, left_out = _with_masks(read_rows(options))
    if options.skip_bad:
        rows, bad = _readable(rows)
        left_out += bad
    _check_some(rows, left_out, options)
    hashes = hash_images(rows) if options.clean_splits else None
    rows = _part(rows, options, hashes)
    if hashes is not None:
        rows, gone = clean_splits(rows, hashes)
        left_out += [f"{name}: {reason}" for name, reason in gone.items()]
    parts = {fold: tuple(row for row in rows if row.fold == fold) for fold in FOLDS}
    _check_some(parts["train"], left_out, options)
    return Masks(parts, tuple(sorted({row.label for row in rows})), tuple(left_out))


def read_rows(options: MaskDataOptions) -> list[MaskedImage]:
    """Read all rows of a data set or of a manifest, with absolute paths.

    Raises:
        FileNotFoundError: There is no such folder or manifest.
        ValueError: It holds something else.
    """
    check_choice("dataset", options.dataset, (FROM_MANIFEST, *MASK_DATASETS))
    if options.dataset != FROM_MANIFEST:
        return MASK_DATASETS[options.dataset](options.folder)
    return list(read_masks(find_manifest(options.folder, MANIFEST)))


def _check_some(
    rows: Sequence[MaskedImage], left_out: Sequence[str], options: MaskDataOptions
) -> None:
    if not rows:
        why = f" Left out are {len(left_out)}, as {left_out[0]}." if left_out else ""
        raise ValueError(
            f"{options.folder or 'The data'} has no images with masks to train on; expected some "
            f"in the fold train, or in none.{why}"
        )


def _with_masks(rows: Sequence[MaskedImage]) -> tuple[list[MaskedImage], list[str]]:
    kept = [row for row in rows if row.mask]
    return kept, [f"{row.id}: no mask is known" for row in rows if not row.mask]


def _readable(rows: Sequence[MaskedImage]) -> tuple[list[MaskedImage], list[str]]:
    kept, bad = [], []
    for row in rows:
        try:
            read_pair(row)
        except (OSError, ValueError) as error:
            bad.append(f"{row.id}: {error}")
        else:
            kept.append(row)
    return kept, bad


def _part(
    rows: list[MaskedImage], options: MaskDataOptions, hashes: dict[str, str] | None
) -> list[MaskedImage]:
    folds = {row.fold for row in rows}
    if not folds & set(FOLDS):
        return split_masks(rows, hashes, options.validation, options.test, options.seed)
    if "validation" not in folds and options.validation:
        return hold_back(rows, hashes, options.validation, options.seed)
    return rows
