"""Soft scores are what VQA's official accuracy gives an answer."""

import pytest

from data_prep.questions.scores import soft_scores


@pytest.mark.parametrize(("count", "score"), [(1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)])
def test_of_ten_answers_scores_are_those_of_the_label_dictionaries(count, score):
    others = [f"other {n}" for n in range(10 - count)]
    assert soft_scores(["net"] * count + others)["net"] == score


def test_scores_are_the_official_accuracy_over_who_is_left_out():
    answers = ["net"] * 2 + ["mesh"] * 3 + ["a net", "b", "c", "d", "e"]
    for answer, score in soft_scores(answers).items():
        rest = [answers[:n] + answers[n + 1 :] for n in range(10)]
        accuracies = [min(1, one.count(answer) / 3) for one in rest]
        assert score == pytest.approx(sum(accuracies) / 10)


def test_case_and_spaces_do_not_part_answers_and_empty_ones_do_not_count():
    assert soft_scores(["Red  car", "red car", " ", *["blue"] * 7]) == {"blue": 1.0, "red car": 0.6}


def test_other_numbers_of_answers_go_by_the_most_frequent():
    assert soft_scores(["red"]) == {"red": 1.0}
    assert soft_scores(["red", "red", "blue"]) == {"red": 1.0, "blue": 0.5}
    assert soft_scores([]) == {}
