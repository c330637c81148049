"""A manifest of questions comes back as it was written, and says what is wrong with it."""

import json
from dataclasses import replace

import pytest

from data_prep.questions.manifest import Question, read_questions, write_questions

ROW = Question("1", "vqa", ("a.jpg",), "What?", {"net": 1.0}, ("net", "mesh"), "train")


def test_rows_come_back_with_absolute_paths_and_the_folder_can_move(tmp_path):
    rows = [
        replace(ROW, images=(str(tmp_path / "in/images/a.jpg"),)),
        Question("2", "nlvr2", ("/b.png", "/c.png"), "Two dogs.", {"true": 1.0}, (), "test"),
        Question("3", "caption", ("/d.png",), "", {"a dog": 1.0}, ("a dog",), ""),
    ]
    write_questions(tmp_path / "in/manifest.jsonl", rows)
    assert list(read_questions(tmp_path / "in/manifest.jsonl")) == rows
    moved = (tmp_path / "in").rename(tmp_path / "moved")
    first = next(read_questions(moved / "manifest.jsonl"))
    assert first.images == (str(moved / "images/a.jpg"),)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"task": "vqaa"}, "has the task 'vqaa', none of vqa, gqa"),
        ({"fold": "val"}, "has the fold 'val', none of train, validation, test"),
        ({"images": []}, "has 0 images; vqa needs 1"),
        ({"task": "nlvr2"}, "has 1 images; nlvr2 needs 2"),
        ({"text": "  "}, "has an empty question"),
        ({"answers": {"net": 1.2}}, "has the score 1.2 for 'net', not one from 0 to 1"),
        ({"answers": {"net": True}}, "has the score True for 'net'"),
        ({"answers": ["net"]}, "is no question of an image"),
        ({"images": None}, "is no question of an image"),
        ({"mask": ""}, "is no question of an image"),
    ],
)
def test_a_bad_row_is_told_with_its_line(tmp_path, change, told):
    path = tmp_path / "manifest.jsonl"
    path.write_text(f"{ROW.to_json()}\n{json.dumps(json.loads(ROW.to_json()) | change)}\n")
    with pytest.raises(ValueError, match=f"line 2 {told}"):
        list(read_questions(path))


def test_an_id_that_comes_twice_is_refused(tmp_path):
    write_questions(tmp_path / "manifest.jsonl", [ROW, ROW])
    with pytest.raises(ValueError, match="has the id '1' twice"):
        list(read_questions(tmp_path / "manifest.jsonl"))
