import numpy as np
import pytest

from data_prep.questions.hearing.asking import (
    ASKED,
    DIGITS,
    ask_animal,
    ask_digits,
    deaf_scores,
    kind_of,
)
from data_prep.questions.hearing.recordings import ANIMALS
from data_prep.questions.manifest import Question, find_fault
from data_prep.questions.scenes.words import build_tokenizer


def ask(seed, digits=(7, 0, 7)):
    return list(ask_digits("1", "a.wav", "train", digits, np.random.default_rng(seed)))


def hear(seed, animal):
    random = np.random.default_rng(seed)
    return list(ask_animal("1", "a.wav", "test", animal, list(ANIMALS), random))


@pytest.fixture(scope="module")
def rows():
    digits = [row for seed in range(200) for row in ask(seed, (seed % 10,))]
    return digits + [row for seed in range(20) for animal in ANIMALS for row in hear(seed, animal)]


def test_a_small_tokenizer_reads_all_questions_whole_and_writes_all_answers(rows):
    tokenizer = build_tokenizer()
    assert {kind_of(row) for row in rows} == set(ASKED)
    for row in rows:
        assert not find_fault(row)
        assert len(tokenizer(f"vqa: {row.text}")["input_ids"]) <= 20
        assert all(len(tokenizer(answer)["input_ids"]) <= 10 for answer in row.answers)


def test_answers_are_what_is_said():
    told = {kind_of(row): [*row.answers] for row in ask(0)}
    assert told == {"count": ["3"], "first": ["7"], "last": ["7"], "said": told["said"]}
    assert {kind_of(row): [*row.answers] for row in ask(0, (3, 9))}["last"] == ["9"]


def test_a_digit_is_said_as_often_as_not():
    said = [row for seed in range(400) for row in ask(seed) if kind_of(row) == "said"]
    for row in said:
        digit = row.text.removesuffix(" said?").split()[-1]
        assert ("yes" in row.answers) == (DIGITS.index(digit) in (7, 0))
    assert 160 < sum("yes" in row.answers for row in said) < 240
    assert {row.text for row in said} >= {"is a one said?", "is an eight said?"}


def test_an_animal_is_named_and_asked_for():
    rows = [row for seed in range(20) for row in hear(seed, "sheep")]
    assert {str(row.answers) for row in rows if kind_of(row) == "animal"} == {"{'sheep': 1.0}"}
    asked = [row for row in rows if kind_of(row) == "hear"]
    assert all(("sheep" in row.text) == ("yes" in row.answers) for row in asked)
    assert len({row.text for row in asked}) > 3


def test_who_hears_nothing_says_what_was_right_most_often_for_the_same_words():
    def row(number, text, answer, fold):
        return Question(f"{number}-said", "vqa", ("a.wav",), text, {answer: 1.0}, (), fold)

    trained = [row(n, "is a one said?", "yes" if n else "no", "train") for n in range(3)]
    trained += [row(n, "is a two said?", "no", "train") for n in range(3, 5)]
    tested = [row(5, "is a one said?", "yes", "test"), row(6, "is a two said?", "yes", "test")]
    assert deaf_scores([*trained, *tested]) == {"said": 50.0}
    assert deaf_scores(trained) == {}
    assert deaf_scores(tested) == {"said": 0.0}
