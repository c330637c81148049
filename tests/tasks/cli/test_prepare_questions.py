"""mcgurk prepare, of questions and captions: a manifest, or one line that says why not."""

import json

import pytest

from data_prep.clips.manifest import Clip
from data_prep.datasets.questions.catalog import QUESTION_DATASETS
from data_prep.json_lines import write_manifest
from data_prep.questions.manifest import read_questions
from tasks.__main__ import run
from tasks.cli.prepare_kinds import KINDS


@pytest.fixture
def folder(tmp_path):
    """Three statements about images, a table of GQA with their places."""
    entries = [
        {"question_id": n, "img_id": f"n{n}", "sent": "What?", "label": {"dog": 1.0}}
        for n in range(3)
    ]
    place = tmp_path / "gqa"
    place.mkdir()
    (place / "train.json").write_text(json.dumps(entries[:2]))
    (place / "testdev.json").write_text(json.dumps(entries[2:]))
    for n in range(3):
        (place / f"n{n}.jpg").touch()
    return place


def prepare(name, folder, out, *options) -> int:
    return run(["prepare", name, str(folder), "-o", str(out), *map(str, options)])


def test_help_names_the_data_sets_there_are():
    assert KINDS["questions"].names.keys() == QUESTION_DATASETS.keys()


def test_a_data_set_becomes_a_manifest(folder, tmp_path, capsys):
    assert prepare("gqa", folder, tmp_path / "out") == 0
    rows = list(read_questions(tmp_path / "out/manifest.jsonl"))
    assert [row.id for row in rows] == ["2", "0", "1"] and rows[0].fold == "test"
    told = capsys.readouterr().out
    assert "3 rows of 3 files." in told and "Folds: test 1, train 2." in told
    assert prepare("gqa", folder, tmp_path / "out", "--json") == 0, "a second time over its own"
    assert json.loads(capsys.readouterr().out) == {
        "rows": 3,
        "images": 3,
        "folds": {"test": 1, "train": 2},
        "failed": {},
        "notes": {},
    }


def test_missing_images_end_it_with_nothing_written(folder, tmp_path, capsys):
    (folder / "n1.jpg").unlink()
    assert prepare("gqa", folder, tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert "1 image of 1 row is not below" in told and ": n1; expected all." in told
    assert told.count("\n") == 1 and not (tmp_path / "out").exists()


def test_missing_images_are_left_out_where_asked(folder, tmp_path, capsys):
    (folder / "n1.jpg").unlink()
    assert prepare("gqa", folder, tmp_path / "out", "--skip-missing") == 0
    told = capsys.readouterr().out
    assert "1 row left out" in told and "1: n1 is not below" in told
    assert len((tmp_path / "out/failed.jsonl").read_text().splitlines()) == 1
    assert len(list(read_questions(tmp_path / "out/manifest.jsonl"))) == 2


def test_nothing_that_is_left_is_a_mistake(folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    options = ("--skip-missing", "--images", tmp_path / "empty")
    assert prepare("gqa", folder, tmp_path / "out", *options) == 2
    told = capsys.readouterr().err
    assert "Of 3 rows not one could be taken" in told and told.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("gqa", ["--label", "dog"], "--label is for masks, and gqa is of questions"),
        ("kvasir", ["--skip-missing"], "--skip-missing is for questions, and kvasir is of masks"),
        ("grid", ["--images", "x"], "--images is for questions, and grid is of clips"),
        ("gqa", ["--images", "no_such"], "no_such is no folder; expected one with images"),
        ("nlvr2", [], "entry 1 has the label"),
        ("coco", [], "has no dataset_coco.json"),
    ],
)
def test_mistakes_are_one_line(folder, tmp_path, capsys, name, options, told):
    assert prepare(name, folder, tmp_path / "out", *options) == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_manifest_of_another_kind_is_not_replaced(folder, tmp_path, capsys):
    write_manifest(tmp_path / "out/manifest.jsonl", [Clip("a", "a.mp4")])
    assert prepare("gqa", folder, tmp_path / "out") == 2
    assert "is no question of an image" in capsys.readouterr().err
