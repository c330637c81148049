"""Pictures that come twice are found by their pixels, and what must not train is taken out."""

import numpy as np
from PIL import Image

from data_prep.masks.hygiene import clean_splits, find_repeats, hash_images
from data_prep.masks.manifest import MaskedImage


def rows_of(*placed: str) -> tuple[list[MaskedImage], dict[str, str]]:
    """Make rows from "ID FOLD PIXELS [LABEL]", and the hashes of their pictures."""
    rows, hashes = [], {}
    for one in placed:
        name, fold, pixels, *label = one.split()
        rows.append(MaskedImage(name, f"{name}.png", "", label[0] if label else "polyp", fold))
        hashes[f"{name}.png"] = pixels
    return rows, hashes


def test_one_picture_in_two_files_of_different_kinds_is_found(save):
    grey = np.arange(100, dtype=np.uint8).reshape(10, 10)
    png, tif = save("a.png", grey), save("b.tif", np.dstack([grey] * 3))
    packed = save("c.png", Image.fromarray(grey), compress_level=0)
    other = save("d.png", grey + 1)
    wide = save("e.png", grey.reshape(5, 20))
    names = [MaskedImage(p.name, str(p), "", "x") for p in (png, tif, packed, other, wide)]
    found = hash_images(names)
    assert found[str(png)] == found[str(tif)] == found[str(packed)]
    assert len(set(found.values())) == 3


def test_repeats_are_told_by_folds():
    rows, hashes = rows_of(
        "a train 1", "b train 1", "c test 2", "d train 2", "e validation 2", "f test 3"
    )
    found = find_repeats(rows, hashes)
    assert found.duplicates == (("a", "b"),)
    assert found.overlaps == {
        "train/validation": (("d", "e"),),
        "train/test": (("d", "c"),),
        "validation/test": (("e", "c"),),
    }
    assert found.told() == [
        "Pictures that come twice within a fold (1): a = b.",
        "Pictures that are in train and validation (1): d = e.",
        "Pictures that are in train and test (1): d = c.",
        "Pictures that are in validation and test (1): e = c.",
    ]


def test_classes_of_one_picture_are_no_repeats():
    rows, hashes = rows_of("a train 1 wall", "b train 1 cavity")
    assert find_repeats(rows, hashes).told() == []
    assert clean_splits(rows, hashes) == (rows, {})


def test_train_gives_way_to_validation_and_test_and_validation_to_test():
    rows, hashes = rows_of(
        "a train 1", "b train 1", "c test 2", "d train 2", "e validation 2",
        "f validation 3", "g train 3", "h test 2", "i train 4",
    )  # fmt: skip
    kept, gone = clean_splits(rows, hashes)
    assert [row.id for row in kept] == ["a", "c", "f", "h", "i"]
    assert gone == {
        "b": "its picture comes twice, before as a",
        "d": "its picture is in validation, too, as e",
        "e": "its picture is in test, too, as c",
        "g": "its picture is in validation, too, as f",
    }
    assert find_repeats(kept, hashes).overlaps == {}
