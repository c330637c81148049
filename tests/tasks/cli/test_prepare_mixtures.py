"""mcgurk prepare, of recordings in which several things sound: a manifest, and what is missing."""

import json

import pytest

from data_prep.clips.manifest import Clip
from data_prep.datasets.mixtures.catalog import MIXTURE_DATASETS
from data_prep.json_lines import write_manifest
from data_prep.mixtures.manifest import read_mixtures
from tasks.__main__ import run
from tasks.cli.prepare_kinds import KINDS


@pytest.fixture
def folder(tmp_path):
    """Three clips of LLP, one with a single label, in a table and as files."""
    place = tmp_path / "llp"
    (place / "video").mkdir(parents=True)
    rows = ["a_0_10\tDog,Cat", "b_5_15\tDog", "c_5_15\tCar,Speech"]
    (place / "LLP.csv").write_text("\n".join(["filename\tevent_labels", *rows]) + "\n")
    (place / "LLP_test.json").write_text(json.dumps({"a": [0, 2] + [1] * 8}))
    for name in "abc":
        (place / f"video/{name}.mp4").touch()
    return place


def prepare(name, folder, out, *options) -> int:
    return run(["prepare", name, str(folder), "-o", str(out), *map(str, options)])


def test_help_names_the_data_sets_there_are():
    assert KINDS["mixtures"].names.keys() == MIXTURE_DATASETS.keys()


def test_a_data_set_becomes_a_manifest(folder, tmp_path, capsys):
    assert prepare("llp", folder, tmp_path / "out") == 0
    rows = list(read_mixtures(tmp_path / "out/manifest.jsonl"))
    assert [(row.id, row.fold) for row in rows] == [
        ("a_0_10", "test"),
        ("b_5_15", ""),
        ("c_5_15", ""),
    ]
    assert rows[0].picture_s == 1.5 and rows[0].media == str(folder / "video/a.mp4")
    told = capsys.readouterr().out
    assert "3 recordings of 4 labels, 2 with several." in told
    assert "Folds: test 1, none 2." in told and "0 files, 1 chosen from videos" in told
    assert prepare("llp_multi", folder, tmp_path / "out", "--json") == 0, "over its own"
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == 2 and told["labels_per_row"] == {"2": 2} and told["failed"] == {}


def test_missing_recordings_end_it_with_nothing_written(folder, tmp_path, capsys):
    (folder / "video/c.mp4").unlink()
    assert prepare("llp", folder, tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert "1 of 3 recordings (1 of no fold) are not below" in told and "--skip-missing" in told
    assert told.count("\n") == 1 and not (tmp_path / "out").exists()


def test_all_that_is_missing_is_listed_where_asked(folder, tmp_path, capsys):
    for name in "bc":
        (folder / f"video/{name}.mp4").unlink()
    assert prepare("llp", folder, tmp_path / "out", "--skip-missing") == 0
    told = capsys.readouterr().out
    assert "2 recordings are missing and left out" in told
    lines = (tmp_path / "out/failed.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["b_5_15", "c_5_15"]
    assert "video c of YouTube, 5 to 15 s" in lines[1]
    assert len(list(read_mixtures(tmp_path / "out/manifest.jsonl"))) == 1


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("llp", ["--label", "dog"], "--label is for masks, and llp is of mixtures"),
        ("gqa", ["--media", "x"], "--media is for mixtures, and gqa is of questions"),
        ("llp", ["--images", "x"], "--images is for questions, and llp is of mixtures"),
        ("kvasir", ["--skip-missing"], "--skip-missing is for questions, and kvasir is of masks"),
        ("llp", ["--media", "no_such"], "no_such is no folder; expected one with recordings"),
        ("fsd50k", [], "has no table of FSD50K"),
        ("lpl", [], "No data set 'lpl'"),
    ],
)
def test_mistakes_are_one_line(folder, tmp_path, capsys, name, options, told):
    assert prepare(name, folder, tmp_path / "out", *options) == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1 and not (tmp_path / "out").exists()


def test_nothing_that_is_left_is_a_mistake(folder, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    options = ("--skip-missing", "--media", tmp_path / "empty")
    assert prepare("llp", folder, tmp_path / "out", *options) == 2
    assert "Of 3 recordings not one could be taken" in capsys.readouterr().err


def test_a_manifest_of_another_kind_is_not_replaced(folder, tmp_path, capsys):
    write_manifest(tmp_path / "out/manifest.jsonl", [Clip("a", "a.mp4")])
    assert prepare("llp", folder, tmp_path / "out") == 2
    assert "is no mixture of sounds" in capsys.readouterr().err
