"""A data set becomes one manifest; what cannot be read is told, and the others are taken."""

import numpy as np
import pytest

from data_prep.clips.manifest import Clip
from data_prep.datasets.masks.dataset import say_label
from data_prep.json_lines import write_manifest
from data_prep.masks.manifest import MaskedImage, read_masks
from data_prep.masks.prepare import prepare_masks

DISC = (np.hypot(*np.mgrid[-15:15, -15:15]) < 8.5).astype(np.uint8) * 255


@pytest.fixture
def rows(save):
    """Make rows, each with a picture of its own and a disc as its mask."""

    def make(count, fold="", **changes):
        mask = str(save("mask.png", DISC))
        return [
            MaskedImage(
                f"r{n}",
                str(save(f"{n}.png", np.full((30, 30), n, np.uint8))),
                mask,
                "polyp",
                **{"fold": fold, **changes},
            )
            for n in range(count)
        ]

    return make


def test_rows_get_prompts_and_folds(rows, tmp_path):
    done = prepare_masks(rows(10), tmp_path / "out", say_label, 1)
    assert list(read_masks(tmp_path / "out/manifest.jsonl")) == list(done.rows)
    assert {row.prompts["p6"] for row in done.rows} == {
        ("one medium round polyp, located in center of the image",)
    }
    assert sorted(row.fold for row in done.rows) == ["test"] + ["train"] * 8 + ["validation"]
    (note,) = done.notes
    assert note == "Folds were drawn with seed 0: 8 train, 1 choose the model, 1 test"


def test_published_prompts_and_folds_stay(rows, tmp_path):
    given = rows(3, "test", prompts={"p0": ("",), "p1": ("a thing",)})
    done = prepare_masks(given, tmp_path / "out", say_label, 1)
    assert list(done.rows) == given and not done.notes


def test_validation_is_taken_from_train_where_it_is_missing(rows, tmp_path):
    given = rows(20, "train")
    given += [MaskedImage("t", given[0].mask, given[0].mask, "polyp", "test")]
    done = prepare_masks(given, tmp_path / "out", say_label, 1)
    assert sum(row.fold == "validation" for row in done.rows) == 2
    assert "Validation was drawn from train with seed 0: 2 rows" in next(iter(done.notes))


def test_folds_are_drawn_of_a_set_of_which_only_train_has_masks(rows, tmp_path):
    done = prepare_masks(rows(10, "train"), tmp_path / "out", say_label, 1)
    assert {row.fold for row in done.rows} == {"train", "validation", "test"}
    given = rows(10, "train", prompts={"p1": ("as published",)})
    assert {row.fold for row in prepare_masks(given, tmp_path / "out", say_label, 1).rows} == {
        "train"
    }


def test_too_few_to_split_all_train(rows, tmp_path):
    done = prepare_masks(rows(2), tmp_path / "out", say_label, 1)
    assert [row.fold for row in done.rows] == ["train", "train"] and "too few" in str(done.notes)


def test_what_cannot_be_read_is_left_out_with_its_reason(rows, save, tmp_path):
    given = rows(4, "train")
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:40])
    save("2.png", np.zeros((20, 30), np.uint8))
    done = prepare_masks(given, tmp_path / "out", say_label, 1, unread={"x": "is not there"})
    assert [row.id for row in done.rows] == ["r0", "r3"]
    assert done.failed.keys() == {"x", "r1", "r2"}
    assert "1.png cannot be read" in done.failed["r1"] and "30 x 20" in done.failed["r2"]
    assert (tmp_path / "out/failed.jsonl").read_text().count("\n") == 3
    prepare_masks(rows(4, "train"), tmp_path / "out", say_label, 1)
    assert not (tmp_path / "out/failed.jsonl").exists()


def test_classes_of_a_picture_are_rows_of_their_own(save, tmp_path):
    picture = str(save("a.png", DISC))
    mask = str(save("m.png", (DISC > 0).astype(np.uint8) + (np.arange(30) < 3).astype(np.uint8)))
    given = [MaskedImage(f"a{n}", picture, mask, f"c{n}", "test", value=n) for n in (1, 2, 3)]
    done = prepare_masks(given, tmp_path / "out", say_label, 1)
    assert len(done.rows) == 3 and not done.repeats.told()
    assert done.notes == {"Masks in which nothing is marked": ["a2", "a3"]}


def test_cleaning_leaves_nothing_that_trains_and_tests(rows, tmp_path):
    given = rows(4, "train")
    given.append(MaskedImage("t", given[1].image, given[1].mask, "polyp", "test"))
    done = prepare_masks(given, tmp_path / "out", say_label, 1)
    assert len(done.rows) == 5 and done.repeats.overlaps == {"train/test": (("r1", "t"),)}
    done = prepare_masks(given, tmp_path / "out", say_label, 1, clean=True)
    assert [row.id for row in done.rows] == ["r0", "r2", "r3", "t"]
    assert done.failed == {"r1": "its picture is in test, too, as t"}


def test_processes_give_the_same_manifest(rows, tmp_path):
    one = prepare_masks(rows(6), tmp_path / "one", say_label, 1)
    assert prepare_masks(rows(6), tmp_path / "two", say_label, 2) == one


def test_a_manifest_of_clips_is_not_replaced(rows, tmp_path):
    write_manifest(tmp_path / "manifest.jsonl", [Clip("a", "a.mp4")])
    with pytest.raises(ValueError, match="is no picture with a mask"):
        prepare_masks(rows(2), tmp_path, say_label, 1)
    assert "a.mp4" in (tmp_path / "manifest.jsonl").read_text()


def test_two_rows_of_one_id_are_refused(rows, tmp_path):
    with pytest.raises(ValueError, match="2 rows have the id 'r0'"):
        prepare_masks(rows(1) * 2, tmp_path / "out", say_label, 1)
