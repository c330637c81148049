"""Folds are drawn so that what belongs together stays together, the same by the same seed."""

from collections import Counter, defaultdict

import pytest

from data_prep.masks.manifest import MaskedImage
from data_prep.masks.splits import hold_back, split_masks


def rows_of(count, group=lambda number: "", fold=""):
    return [
        MaskedImage(f"r{n}", f"{n}.png", "", "polyp", fold, group=group(n)) for n in range(count)
    ]


def folds_by_group(rows):
    found = defaultdict(set)
    for row in rows:
        found[row.group or row.image].add(row.fold)
    return found


def test_shares_are_kept_and_every_row_has_a_fold():
    counts = Counter(row.fold for row in split_masks(rows_of(50), None, 0.1, 0.2))
    assert counts == {"train": 35, "validation": 5, "test": 10}


def test_a_patient_is_in_one_fold():
    rows = split_masks(rows_of(60, lambda n: f"patient{n % 12}"))
    assert all(len(folds) == 1 for folds in folds_by_group(rows).values())
    assert {row.fold for row in rows} == {"train", "validation", "test"}


def test_equal_pictures_join_their_patients():
    rows = rows_of(20, lambda n: f"patient{n // 2}")
    hashes = {f"{n}.png": str(n) for n in range(20)} | {"0.png": "5", "5.png": "5", "9.png": "5"}
    for seed in range(8):
        drawn = {row.id: row.fold for row in split_masks(rows, hashes, seed=seed)}
        assert len({drawn[f"r{n}"] for n in (0, 1, 4, 5, 8, 9)}) == 1


def test_a_seed_draws_the_same_whatever_the_order():
    rows = rows_of(40)
    drawn = {row.id: row.fold for row in split_masks(rows, seed=3)}
    assert {row.id: row.fold for row in split_masks(rows[::-1], seed=3)} == drawn
    assert {row.id: row.fold for row in split_masks(rows, seed=4)} != drawn


def test_the_fewest_groups_and_impossible_shares():
    assert Counter(r.fold for r in split_masks(rows_of(3))) == dict.fromkeys(
        ("train", "validation", "test"), 1
    )
    with pytest.raises(ValueError, match="2 groups of pictures cannot be split.*Add pictures"):
        split_masks(rows_of(2))
    with pytest.raises(ValueError, match="0.5 for validation and 0.5 for test; expected"):
        split_masks(rows_of(9), None, 0.5, 0.5)


def test_validation_is_held_back_from_train_alone():
    rows = rows_of(20, fold="train") + [MaskedImage("t", "t.png", "", "polyp", "test")]
    counts = Counter(row.fold for row in hold_back(rows))
    assert counts == {"train": 18, "validation": 2, "test": 1}
