"""Lists of words are to be said again: all words of both worlds, about an empty picture."""

import sys

import cv2
import pytest

from data_prep.questions.manifest import find_fault, read_questions
from data_prep.questions.scenes.words import build_tokenizer, words_of_worlds
from tasks.vision_language.batches import LONGEST_ANSWER
from tools import write_word_lists as tool


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    tool.write_word_lists(folder, 400, 0)
    return list(read_questions(folder / "manifest.jsonl"))


def test_each_list_is_asked_and_answered_with_the_same_words(rows):
    assert len({row.id for row in rows}) == 400 and not any(map(find_fault, rows))
    for row in rows:
        assert row.answers == {row.text: 1.0} and (row.task, row.fold) == ("caption", "train")
        assert 3 <= len(row.text.split()) <= 8


def test_all_words_of_both_worlds_come_and_no_list_is_cut(rows):
    assert {word for row in rows for word in row.text.split()} == set(words_of_worlds())
    lengths = [len(ids) for ids in build_tokenizer()([row.text for row in rows]).input_ids]
    assert max(lengths) <= LONGEST_ANSWER["caption"] and max(lengths) == 8 + 2


def test_all_are_about_one_picture_with_nothing_on_it(rows):
    [name] = {name for row in rows for name in row.images}
    picture = cv2.imread(name)
    assert picture is not None and picture.min() == picture.max()


def test_the_seed_fixes_the_lists(rows, tmp_path, monkeypatch, capsys):
    texts = [row.text for row in rows]
    for seed in (0, 1):
        arguments = ["words", str(tmp_path), "--count", "400", "--seed", str(seed)]
        monkeypatch.setattr(sys, "argv", arguments)
        tool.main()
        found = [row.text for row in read_questions(tmp_path / "manifest.jsonl")]
        assert (found == texts) == (seed == 0)
    assert "400 lists" in capsys.readouterr().out


def test_texts_come_after_the_lists_and_leave_them_as_they_are(rows, tmp_path):
    tool.write_word_lists(tmp_path, 400, 0, 30)
    found = list(read_questions(tmp_path / "manifest.jsonl"))
    assert [row.text for row in found[:400]] == [row.text for row in rows]
    assert len(found) == 430 and not any(map(find_fault, found))
    assert {row.task for row in found[400:]} == {"vqa", "gqa", "caption"}
