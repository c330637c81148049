"""Answers that are right as written: soft labels, GQA and NLVR2."""

import pytest

from tasks.scoring.answers import gqa_accuracy, label_score, score_nlvr2


def test_label_score_is_the_soft_score_of_the_very_string():
    labels = {"net": 1.0, "mesh": 0.3}
    assert label_score("net", labels) == 100
    assert label_score("mesh", labels) == pytest.approx(30)
    assert label_score("Net", labels) == 0
    assert label_score("", {}) == 0


def test_gqa_compares_to_the_letter_and_looks_at_no_other_question():
    expected = {"1": "yes", "2": "red", "3": "left", "4": "no"}
    answers = {"1": "yes", "2": "Red", "3": "left", "4": "yes", "5": "extra"}
    assert gqa_accuracy(answers, expected) == 50


def test_nlvr2_is_consistent_where_all_pairs_of_a_sentence_are_right():
    expected = {
        "dev-850-0-0": "False",
        "dev-850-2-0": "True",
        "dev-850-2-1": "True",
        "dev-9-0-0": "True",
    }
    answers = {
        "dev-850-0-0": "false",
        "dev-850-2-0": "false",
        "dev-850-2-1": "true",
        "dev-9-0-0": "TRUE",
    }
    score = score_nlvr2(answers, expected)
    assert score.accuracy == 75
    assert score.consistency == pytest.approx(200 / 3)
    assert score_nlvr2(expected, expected).consistency == 100


@pytest.mark.parametrize("measure", [gqa_accuracy, score_nlvr2])
def test_questions_without_an_answer_are_refused(measure):
    with pytest.raises(ValueError, match=r"1 of 2 questions have no answer, 'dev-1-1-0' first"):
        measure({"dev-1-0-0": "true"}, {"dev-1-0-0": "True", "dev-1-1-0": "True"})
    with pytest.raises(ValueError, match="no question to score"):
        measure({"1": "yes"}, {})


def test_identifiers_of_another_form_are_refused():
    with pytest.raises(ValueError, match=r"'850-2-0'; expected split, set, pair and sentence"):
        score_nlvr2({"850-2-0": "true"}, {"850-2-0": "True"})
