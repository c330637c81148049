"""Folds for data that have none, so that what belongs together stays together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from data_prep.masks.manifest import MaskedImage


def split_masks(
    rows: Sequence[MaskedImage],
    hashes: Mapping[str, str] | None = None,
    validation: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
) -> list[MaskedImage]:
    """Give each row a fold, at random, group by group.

    Args:
        rows: Pictures with masks, whose folds, if any, are forgotten.
        hashes: Of pixels by picture, see `data_prep.masks.hygiene`; rows of equal pictures come
            into one fold with all of their groups. None: pictures are told apart by their paths.
        validation: Share of the groups that chooses the model, 0 to 1; rounded, and one at least
            where it is above 0.
        test: Share that tests, likewise.
        seed: Another one gives another split; the order of the rows does not matter.

    Returns:
        The rows in their order.

    Raises:
        ValueError: The shares leave nothing to train, or there are fewer groups than folds.
    """
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise ValueError(
            f"The shares are {validation:g} for validation and {test:g} for test; expected 0 or "
            "more, together below 1, as 0.1 and 0.1."
        )
    groups = _join_groups(rows, hashes or {})
    names = sorted(set(groups))
    counts = [max(1, round(share * len(names))) if share else 0 for share in (validation, test)]
    if sum(counts) >= len(names):
        raise ValueError(
            f"{len(names)} groups of pictures cannot be split into train, {counts[0]} for "
            f"validation and {counts[1]} for test; expected more. Add pictures, or name the folds "
            "by folders train, val and test."
        )
    drawn = [names[n] for n in np.random.default_rng(seed).permutation(len(names))]
    folds = dict.fromkeys(drawn, "train")
    folds.update(dict.fromkeys(drawn[: counts[0]], "validation"))
    folds.update(dict.fromkeys(drawn[counts[0] : sum(counts)], "test"))
    return [replace(row, fold=folds[group]) for row, group in zip(rows, groups, strict=True)]


def hold_back(
    rows: Sequence[MaskedImage],
    hashes: Mapping[str, str] | None = None,
    share: float = 0.1,
    seed: int = 0,
) -> list[MaskedImage]:
    """Take validation from train, where a data set has train and test alone.

    Args:
        rows: Of which those of train are split; the others stay as they are.
        hashes: Pixels' hash by picture's path; None: pictures are told apart by their paths.
        share: Part of the groups in train that chooses the model, above 0 and below 1.
        seed: Another one gives another split.

    Returns:
        The rows in their order.

    Raises:
        ValueError: Train has fewer than two groups.
    """
    train = [row for row in rows if row.fold == "train"]
    folds = {row.id: row.fold for row in split_masks(train, hashes, share, 0.0, seed)}
    return [replace(row, fold=folds.get(row.id, row.fold)) for row in rows]


def _join_groups(rows: Sequence[MaskedImage], hashes: Mapping[str, str]) -> list[str]:
    """Name the group of each row; two that share a picture's pixels become one."""
    keys = [(row.group or row.image, hashes.get(row.image, row.image)) for row in rows]
    by_pixels: defaultdict[str, set[str]] = defaultdict(set)
    for group, pixels in keys:
        by_pixels[pixels].add(group)
    root = {group: group for group, _ in keys}

    def find(group: str) -> str:
        while root[group] != group:
            group = root[group]
        return group

    for joined in by_pixels.values():
        first, *others = sorted(map(find, joined))
        for other in others:
            root[other] = first
    return [find(group) for group, _ in keys]
