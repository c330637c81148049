"""mcgurk prepare, of pictures with masks: one manifest, and a line for each thing to know."""

import json

import numpy as np
import pytest
from PIL import Image

from data_prep.clips.manifest import Clip
from data_prep.datasets.masks.catalog import MASK_DATASETS
from data_prep.datasets.speech.catalog import DATASETS
from data_prep.json_lines import write_manifest
from data_prep.masks.manifest import read_masks
from tasks.__main__ import run
from tasks.cli.prepare_kinds import KINDS


@pytest.fixture
def folder(tmp_path):
    """A folder of ten pictures with masks, whose name is what they show."""
    place = tmp_path / "polyp"
    disc = (np.hypot(*np.mgrid[-15:15, -15:15]) < 8.5).astype(np.uint8) * 255
    for n in range(10):
        for kind, values in (("images", np.full((30, 30), n, np.uint8)), ("masks", disc)):
            (place / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(place / kind / f"{n}.png")
    return place


def prepare(name, folder, out, *options) -> int:
    return run(["prepare", name, str(folder), "-o", str(out), "--processes", "1", *options])


def rows_of(out):
    return {row.id: row for row in read_masks(out / "manifest.jsonl")}


def test_help_names_the_data_sets_there_are():
    assert KINDS["masks"].names.keys() == MASK_DATASETS.keys()
    assert KINDS["clips"].names.keys() == DATASETS.keys()


def test_a_folder_of_pictures_becomes_a_manifest(folder, tmp_path, capsys):
    assert prepare("folder", folder, tmp_path / "out") == 0
    rows = rows_of(tmp_path / "out")
    assert len(rows) == 10 and {row.label for row in rows.values()} == {"polyp"}
    assert rows["3"].prompts["p5"] == ("one medium round polyp",)
    told = capsys.readouterr().out
    assert "10 rows of 10 pictures." in told and "Labels: polyp 10." in told
    assert "Folds were drawn with seed 0: 8 train, 1 choose the model, 1 test." in told


def test_a_seed_and_a_label_are_taken(folder, tmp_path):
    assert prepare("folder", folder, tmp_path / "a", "--label", "lesion", "--seed", "0") == 0
    assert prepare("folder", folder, tmp_path / "b", "--label", "lesion", "--seed", "1") == 0
    one, other = rows_of(tmp_path / "a"), rows_of(tmp_path / "b")
    assert one["0"].label == "lesion"
    assert [row.fold for row in one.values()] != [row.fold for row in other.values()]


def test_json_has_all_that_was_found(folder, tmp_path, capsys):
    (folder / "masks/4.png").unlink()
    assert prepare("kvasir", folder, tmp_path / "out", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["images"], told["labels"]) == (9, 9, {"polyp": 9})
    assert sum(told["folds"].values()) == 9 and list(told["failed"]) == ["4"]
    assert told["duplicates"] == [] and told["overlaps"] == {} and len(told["notes"]) == 1


def test_overlaps_are_told_and_cleaned_where_asked(folder, tmp_path, capsys):
    for fold, numbers in (("train", range(8)), ("val", [8]), ("test", [9, 2])):
        (folder / "anns").mkdir(exist_ok=True)
        rows = [
            {"img_name": f"{n}.png", "mask_name": f"{n}.png", "prompts": {"p1": "polyp"}}
            for n in numbers
        ]
        (folder / f"anns/{fold}.json").write_text(json.dumps(rows))
    assert prepare("bkai", folder, tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert "Pictures that are in train and test (1): 2 = 2_2." in told
    assert "--clean-splits leaves out what trains and tests." in told
    assert prepare("bkai", folder, tmp_path / "out", "--clean-splits") == 0
    assert "2: its picture is in test, too, as 2_2" in capsys.readouterr().out
    assert "2" not in rows_of(tmp_path / "out") and len(rows_of(tmp_path / "out")) == 10


def test_bad_pictures_are_left_out_and_named(folder, tmp_path, capsys):
    (folder / "images/1.png").write_bytes(b"no picture")
    (folder / "images/2.png").write_bytes((folder / "images/2.png").read_bytes()[:50])
    Image.new("L", (20, 30)).save(folder / "masks/3.png")
    (folder / "images/4.png").rename(folder / "images/4.dcm")
    numbers = np.arange(900, dtype=np.uint8).reshape(30, 30) % 5
    Image.fromarray(numbers).save(folder / "masks/5.png")
    assert prepare("folder", folder, tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert "5 are left out" in told
    for name in ("1.png cannot be", "2.png cannot be", "masks/3.png has 20 x 30", "4.dcm cannot"):
        assert name in told
    assert "masks/5.png is no mask of one class: its values are 0, 1, 2, 3, 4;" in told
    assert sorted(rows_of(tmp_path / "out")) == ["0", "6", "7", "8", "9"]


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_folder_without_masks_or_pictures_is_a_mistake_in_one_line(
    folder, tmp_path, capsys, kind
):
    assert prepare("kvasir", folder / kind, tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and " and no masks; expected images/NAME.png" in told


def test_of_an_empty_folder_it_is_told_what_was_looked_for(tmp_path, capsys):
    """Each kind of data set says its own layout, and any folder those of both."""
    empty, out = tmp_path / "empty", tmp_path / "out"
    empty.mkdir()
    for kind, of in KINDS.items():
        for name in of.names.keys() - {"cuts"}:
            assert prepare(name, empty, out) == 2
            told = capsys.readouterr().err
            assert told.count("\n") == 1 and f"{empty} has n" in told
            about_clips, about_masks = "clip" in told.replace("clip-vit", ""), "masks/" in told
            if name == "folder":
                assert about_clips and about_masks and "pictures" in told
            elif kind == "clips":
                assert about_clips and not about_masks
            else:
                assert about_masks == (kind == "masks")
    assert prepare("folder", tmp_path / "nowhere", out) == 2
    assert "nowhere is no folder; expected one with clips, " in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(("name", "things"), [("kvasir", "pictures"), ("coco", "rows")])
def test_of_empty_tables_it_is_told_that_nothing_is_in_them(tmp_path, capsys, name, things):
    source, out = tmp_path / "source", tmp_path / "out"
    (source / "anns").mkdir(parents=True)
    (source / "anns/train.json").write_text("[]")
    (source / "dataset_coco.json").write_text('{"images": []}')
    assert prepare(name, source, out) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and f"{source} has tables and no {things} in them" in told
    assert not out.exists()


def test_nothing_that_can_be_read_is_a_mistake_in_one_line(folder, tmp_path, capsys):
    for path in (folder / "images").iterdir():
        path.write_bytes(b"no picture")
    assert prepare("folder", folder, tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "Of 10 pictures not one could be taken" in told


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("kvasir", ["--ray", "local"], "--ray is for clips, and kvasir is of masks"),
        ("kvasir", ["--audio-track", "0"], "--audio-track is for clips"),
        ("grid", ["--label", "polyp"], "--label is for masks, and grid is of clips"),
        ("grid", ["--seed", "0"], "--seed is for masks"),
        ("cuts", ["--clean-splits"], "--clean-splits is for masks"),
        ("folder", ["--label", "a", "--label", "b"], "--label is 'a'; expected a name"),
        ("kvsair", [], "No data set 'kvsair'; known: grid, folder, cuts, kvasir, bkai"),
        ("foldr", [], "fsd50k. Did you mean 'folder'?"),
    ],
)
def test_options_of_another_kind_are_a_mistake(folder, tmp_path, capsys, name, options, told):
    assert prepare(name, folder, tmp_path / "out", *options) == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_folder_that_is_not_there_may_be_one_of_pictures(tmp_path, capsys):
    assert prepare("folder", tmp_path / "none", tmp_path / "out") == 2
    told = "none is no folder; expected one with clips, as NAME.mp4 or NAME.wav, or pictures"
    assert told in capsys.readouterr().err


def test_the_manifest_of_clips_is_not_replaced_by_one_of_masks(folder, tmp_path, capsys):
    write_manifest(tmp_path / "out/manifest.jsonl", [Clip("a", "a.mp4")])
    assert prepare("folder", folder, tmp_path / "out") == 2
    assert "is no picture with a mask" in capsys.readouterr().err


def test_a_folder_with_sound_in_it_stays_one_of_clips(folder, tmp_path, capsys):
    (folder / "a.wav").write_bytes(b"no sound")
    assert prepare("folder", folder, tmp_path / "out") == 2
    assert "clips not one could be taken" in capsys.readouterr().err
    assert prepare("folder", folder, tmp_path / "masks", "--label", "polyp") == 0


def test_a_manifest_beside_its_pictures_can_move(folder, tmp_path):
    assert prepare("folder", folder, folder) == 0
    first = json.loads((folder / "manifest.jsonl").read_text().splitlines()[0])
    assert first["image"] == "images/0.png"
    assert prepare("folder", folder, folder) == 0, "a second time over its own"
    moved = folder.rename(tmp_path / "moved")
    assert rows_of(moved)["0"].image == str(moved / "images/0.png")


def test_the_ultrasound_beside_the_project_is_prepared(shared_data, tmp_path, capsys):
    assert prepare("busi", shared_data / "busi", tmp_path / "out", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folds"] == {"train": 87, "validation": 11, "test": 11}
    assert len(told["notes"]["Masks in which nothing is marked"]) == 37
    assert told["failed"] == {} and told["overlaps"] == {}
