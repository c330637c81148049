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
        ({"answers": ["net"]}, "has the answers \\['net'\\], which are no scores by answer"),
        ({"answers": None}, "has the answers None, which are no scores by answer"),
        ({"images": None}, "has the images None, which are no list of texts"),
        ({"images": "a.jpg"}, "has the images 'a.jpg', which are no list of texts"),
        ({"images": [1]}, "has the images \\[1\\], which are no list of texts"),
        ({"references": "a dog"}, "has the references 'a dog', which are no list of texts"),
        ({"references": [3] * 10}, "has the references .* no list of texts"),
        ({"id": 5}, "has the id 5, which is no text in quotation marks"),
        ({"id": ["5"]}, "has the id .* no text"),
        ({"task": "caption", "text": None}, "has the text None, which is no text"),
        ({"text": "\ud800?"}, "has the text .* of which letters are no Unicode"),
        ({"answers": {"\ud800": 1.0}}, "has the text .* of which letters are no Unicode"),
        (
            {"task": "nlvr2", "images": ["a", "b"], "answers": {"yes": 1.0}},
            "has the answer 'yes'; nlvr2 has true and false alone",
        ),
        ({"mask": ""}, "is no question of an image"),
    ],
)
def test_a_bad_row_is_told_with_its_line(tmp_path, change, told):
    path = tmp_path / "manifest.jsonl"
    path.write_text(f"{ROW.to_json()}\n{json.dumps(json.loads(ROW.to_json()) | change)}\n")
    with pytest.raises(ValueError, match=f"line 2 {told}"):
        list(read_questions(path))


def test_an_id_that_comes_twice_is_refused(tmp_path):
    path = tmp_path / "manifest.jsonl"
    write_questions(path, [ROW])
    path.write_text(2 * path.read_text())
    with pytest.raises(ValueError, match="Two rows for .* have the id '1'"):
        write_questions(path, [ROW, ROW])
    with pytest.raises(ValueError, match="has the id '1' twice"):
        list(read_questions(tmp_path / "manifest.jsonl"))


@pytest.mark.parametrize("line", ["[1]", "5", "null", '"vqa"'])
def test_a_line_that_is_no_object_is_refused(tmp_path, line):
    (tmp_path / "manifest.jsonl").write_text(f"{line}\n")
    with pytest.raises(ValueError, match="line 1 is .*, and no question of an image in braces"):
        list(read_questions(tmp_path / "manifest.jsonl"))


@pytest.mark.parametrize("end", ["\n", "", "\n\n"])
def test_a_manifest_that_a_person_wrote_is_whole_without_a_last_end_and_with_empty_lines(
    tmp_path, end
):
    lines = [Question(name, "vqa", ("a.png",), "why?", fold="test").to_json() for name in "ab"]
    (tmp_path / "manifest.jsonl").write_text("\n\n".join(lines) + end)
    assert [row.id for row in read_questions(tmp_path / "manifest.jsonl")] == ["a", "b"]


def test_half_a_line_that_a_killed_program_left_is_passed_over_and_in_the_middle_told(tmp_path):
    path, line = tmp_path / "manifest.jsonl", Question("a", "vqa", ("a.png",), "why?").to_json()
    path.write_text(f"{line}\n{line[:-9]}")
    assert [row.id for row in read_questions(path)] == ["a"]
    path.write_text(f"{line[:-9]}\n")
    with pytest.raises(ValueError, match="line 1 is no JSON .*; expected what `prepare` writes"):
        list(read_questions(path))
    path.write_text('["a"]')
    with pytest.raises(ValueError, match="line 1 is .*, and no question"):
        list(read_questions(path))
