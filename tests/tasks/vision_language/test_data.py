import json
import shutil
from dataclasses import replace

import pytest

from data_prep.questions.manifest import MANIFEST, Question, write_questions
from modalities.vision_language.vl_files import load_vision_language
from tasks.vision_language.config import QuestionDataOptions
from tasks.vision_language.data import (
    check_answers,
    find_questions,
    keep_learnt,
    leave_out_unreadable,
)


@pytest.fixture
def write(tmp_path):
    """Writes a manifest with ten pictures, a row of each."""

    def make(fold="train", answers=None, **more):
        rows = []
        for number in range(10):
            picture = tmp_path / f"{number}.png"
            picture.write_bytes(b"")  # nothing here looks into it
            given = {"no": 1.0} if answers is None else answers
            rows.append(Question(f"{number}", "gqa", (str(picture),), "is it?", given, (), fold))
        write_questions(tmp_path / MANIFEST, rows)
        return QuestionDataOptions(manifests=(str(tmp_path),), **more)

    return make


def test_pictures_are_held_back_where_no_row_validates(write):
    found = find_questions(write(validation=0.3))
    assert [len(found.parts[fold].get("gqa", ())) for fold in ("train", "validation")] == [7, 3]
    again = find_questions(write(validation=0.3))
    assert again.parts == found.parts
    assert find_questions(write(validation=0.3, seed=1)).parts != found.parts


def test_rows_that_validate_are_learnt_where_a_recipe_says_so(write):
    """GQA's are, in the published runs."""
    with pytest.raises(ValueError, match="no questions or captions to train on"):
        find_questions(write("validation"))
    found = find_questions(write("validation", also_learnt=("gqa",), validation=0.0))
    assert {fold: len(of.get("gqa", ())) for fold, of in found.parts.items()} == {
        "train": 10,
        "validation": 0,
        "test": 0,
    }
    with pytest.raises(ValueError, match="no questions or captions to train on"):
        find_questions(write("validation", also_learnt=("vqa",)))


def test_rows_without_answers_are_not_learnt(write):
    with pytest.raises(ValueError, match=r"no questions or captions to train on.* Left out are 10"):
        find_questions(write(answers={}, validation=0.0))


def test_missing_pictures_are_told_before_anything_is_loaded(write, tmp_path):
    options = write()
    (tmp_path / "3.png").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"3\.png, which the row '3' is about; 1 picture of"
    ):
        find_questions(options)
    found = find_questions(write(skip_bad=True))
    assert not found.left_out  # it was written again
    (tmp_path / "3.png").unlink()
    found = find_questions(QuestionDataOptions((str(tmp_path),), skip_bad=True))
    [line] = found.left_out
    assert line.startswith("3: there is no ") and line.endswith("3.png")


def test_two_manifests_with_one_row_are_refused(write, tmp_path):
    options = write()
    with pytest.raises(ValueError, match="another manifest, too"):
        find_questions(QuestionDataOptions(options.manifests * 2))


def test_no_manifest_and_tasks_that_are_not_there_are_told(write):
    with pytest.raises(ValueError, match="names none"):
        find_questions(QuestionDataOptions())
    with pytest.raises(ValueError, match="to train on of caption"):
        find_questions(write(tasks=("caption",)))
    with pytest.raises(ValueError, match="snli"):
        write(tasks=("snli",))


def test_answers_that_the_model_cannot_write_are_refused_or_left_out(write, tmp_path, asked_folder):
    config = json.loads((asked_folder / "bart/tokenizer.json").read_text())
    model = load_vision_language(asked_folder / "bart")
    questions = find_questions(write(answers={"striped": 1.0}))
    assert check_answers(questions, model, skip=False) == (questions.parts, [])
    assert config["model"]["unk_token"] == "<unk>" and model.tokenizer is not None
    model.tokenizer.unk_token = "\u0120striped"  # as if it had no token for that word
    with pytest.raises(ValueError, match=r"1 answer of 9 rows: .* letters .* no token, as 'st"):
        check_answers(questions, model, skip=False)
    with pytest.raises(ValueError, match="No answer of 9 rows can be written"):
        check_answers(questions, model, skip=True)
    rows = questions.parts["train"]["gqa"]
    more = {
        **questions.parts,
        "train": {"gqa": (*rows, replace(rows[0], id="10", answers={"no": 1.0}))},
    }
    parts, lines = check_answers(replace(questions, parts=more), model, skip=True)
    assert len(parts["train"]["gqa"]) == 1 and len(lines) == len(rows)


def test_pictures_that_cannot_be_read_are_left_out_where_it_is_asked(write, tmp_path, asked_folder):
    options = write(skip_bad=True, validation=0.0)
    for number in range(9):
        shutil.copy(asked_folder / "seen/images/000000.png", tmp_path / f"{number}.png")
    found = find_questions(options, "shapes")
    assert {row.id for row in found.parts["train"]["gqa"]} == set("012345678")
    [line] = found.left_out
    assert line.startswith("9: ") and "9.png cannot be read as a picture" in line
    rows, lines = leave_out_unreadable(found.parts["train"]["gqa"], "frames")
    assert not rows and len(lines) == 9, "pictures are no features of videos"


def test_what_is_held_back_does_not_change_with_pictures_that_are_gone(write, tmp_path):
    options = write(validation=0.5, skip_bad=True)
    before = {row.id for row in find_questions(options).parts["validation"]["gqa"]}
    (tmp_path / f"{min(before)}.png").unlink()
    after = {row.id for row in find_questions(options).parts["validation"]["gqa"]}
    assert after == before - {min(before)}


def test_rows_of_tasks_that_nothing_trains_are_left_out(write):
    rows = find_questions(write()).parts["train"]["gqa"]
    other = tuple(replace(row, task="vqa") for row in rows)
    parts, lines = keep_learnt({"train": {"gqa": rows}, "test": {"vqa": other, "gqa": rows}})
    assert parts == {"train": {"gqa": rows}, "test": {"gqa": rows}}
    assert lines == [f"{len(rows)} rows of vqa in test: no row of vqa trains"]
