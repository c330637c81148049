"""Which images train, which choose and which test."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from data_prep.masks.manifest import MaskedImage, read_masks, write_masks
from tasks.segmentation.config import MaskDataOptions
from tasks.segmentation.data import find_masks


def rewrite(folder: Path, change) -> None:
    """Write a manifest anew, with what a function makes of its rows."""
    rows = list(read_masks(folder / "manifest.jsonl"))
    write_masks(folder / "manifest.jsonl", change(rows))


def options(folder: Path, **changes) -> MaskDataOptions:
    return MaskDataOptions(folder=str(folder), **changes)


def images(rows: tuple[MaskedImage, ...]) -> set[str]:
    return {Path(row.image).name for row in rows}


def test_folds_are_those_of_the_manifest(squares):
    found = find_masks(options(squares))
    assert {fold: len(rows) for fold, rows in found.parts.items()} == {
        "train": 12,
        "validation": 4,
        "test": 4,
    }
    assert found.labels == ("blue", "red") and found.left_out == ()
    assert find_masks(options(squares / "manifest.jsonl")) == found


def test_data_without_folds_are_parted_with_all_masks_of_an_image_together(own_squares):
    rewrite(own_squares, lambda rows: [replace(row, fold="") for row in rows])
    found = find_masks(options(own_squares, validation=0.2, test=0.3))
    assert [len(images(rows)) for rows in found.parts.values()] == [5, 2, 3]
    assert not images(found.parts["train"]) & images(found.parts["test"])
    again = find_masks(options(own_squares, validation=0.2, test=0.3))
    other = find_masks(options(own_squares, validation=0.2, test=0.3, seed=1))
    assert again == found and other.parts != found.parts


def test_validation_is_taken_from_training_where_there_is_none(own_squares):
    rewrite(
        own_squares,
        lambda rows: [replace(r, fold="train" if r.fold == "validation" else r.fold) for r in rows],
    )
    found = find_masks(options(own_squares, validation=0.25))
    assert [len(images(rows)) for rows in found.parts.values()] == [6, 2, 2]
    assert len(images(find_masks(options(own_squares, validation=0.0)).parts["train"])) == 8


def test_copies_of_test_images_leave_the_training_where_that_is_asked(own_squares):
    shutil.copy(own_squares / "9.png", own_squares / "0.png")  # of test, into train
    shutil.copy(own_squares / "1.png", own_squares / "2.png")  # twice in train
    for label in ("red", "blue"):
        shutil.copy(own_squares / f"9_{label}.png", own_squares / f"0_{label}.png")
        shutil.copy(own_squares / f"1_{label}.png", own_squares / f"2_{label}.png")
    plain = find_masks(options(own_squares))
    assert images(plain.parts["train"]) == {f"{n}.png" for n in range(6)} and not plain.left_out
    cleaned = find_masks(options(own_squares, clean_splits=True))
    assert images(cleaned.parts["train"]) == {"1.png", "3.png", "4.png", "5.png"}
    assert cleaned.parts["test"] == plain.parts["test"]
    assert len(cleaned.left_out) == 4
    assert "0_red: its picture is in test, too, as 9_red" in cleaned.left_out


def test_copies_stay_in_one_fold_where_the_folds_are_drawn(own_squares):
    shutil.copy(own_squares / "0.png", own_squares / "3.png")
    for label in ("red", "blue"):
        shutil.copy(own_squares / f"0_{label}.png", own_squares / f"3_{label}.png")
    rewrite(own_squares, lambda rows: [replace(row, fold="") for row in rows])
    for seed in range(6):
        found = find_masks(options(own_squares, clean_splits=True, test=0.3, seed=seed))
        homes = [f for f, rows in found.parts.items() if images(rows) & {"0.png", "3.png"}]
        assert len(homes) == 1


def test_rows_without_a_mask_are_told_and_nothing_else_is_an_error(own_squares):
    def hide(rows):
        return [replace(row, mask="" if row.label == "blue" else row.mask) for row in rows]

    rewrite(own_squares, hide)
    found = find_masks(options(own_squares))
    assert found.labels == ("red",) and len(found.left_out) == 10
    assert "0_blue: no mask is known" in found.left_out
    rewrite(own_squares, lambda rows: [replace(row, mask="") for row in rows])
    with pytest.raises(ValueError, match="no images with masks to train on; .* Left out are 20"):
        find_masks(options(own_squares))


def test_what_cannot_be_read_is_left_out_where_that_is_asked(own_squares):
    broken = own_squares / "1.png"
    broken.write_bytes(broken.read_bytes()[:300])
    (own_squares / "9_red.png").unlink()
    found = find_masks(options(own_squares, skip_bad=True))
    assert "1.png" not in images(found.parts["train"]) and len(found.parts["test"]) == 3
    assert len(found.left_out) == 3 and any(str(broken) in line for line in found.left_out)


def test_two_rows_of_one_id_are_refused(own_squares):
    path = own_squares / "manifest.jsonl"
    path.write_text(path.read_text().replace('"3_', '"4_'))
    with pytest.raises(ValueError, match="manifest.jsonl has the id '4_red' twice"):
        find_masks(options(own_squares))


def test_what_is_not_there_is_told(squares, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        find_masks(options(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="dataset.*'kvasir_seg'.*manifest"):
        find_masks(options(squares, dataset="kvasir_seg"))
    (tmp_path / "manifest.jsonl").write_text("")
    with pytest.raises(ValueError, match="no images with masks"):
        find_masks(options(tmp_path))
