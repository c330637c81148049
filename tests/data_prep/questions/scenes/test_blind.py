from collections import Counter, defaultdict
from math import comb

import pytest

from data_prep.questions.manifest import Question
from data_prep.questions.scenes.blind import blind_scores
from data_prep.questions.scenes.rows import form_of

CHANCE = {  # of a form's answers that are equally frequent
    "seen": {"vqa": 33, "gqa": 38, "nlvr2": 50},
    "unseen": {"vqa": 38, "gqa": 42, "nlvr2": 50},
}


def row(place, answer, form="colour"):
    return Question(f"{place:06d}-vqa-0{form}", "vqa", ("a.png",), "what?", {answer: 1.0})


def test_the_most_frequent_answer_of_each_form_counts():
    rows = [row(0, "red"), row(1, "red"), row(2, "blue"), row(3, "yes", "exists")]
    assert blind_scores(rows) == {"vqa": pytest.approx(75)}


def test_who_does_not_look_scores_about_what_guessing_does(look, made):
    scores = blind_scores(made[1])
    for task, chance in CHANCE[look].items():
        assert chance - 1 < scores[task] < chance + 6


def test_statements_alone_do_not_tell_what_is_true(made):
    _, rows = made
    stated = [row for row in rows if row.task == "nlvr2"]
    known = defaultdict(Counter)
    for one in stated[::2] + stated[1::2]:
        known[one.text].update(one.answers)
    # One text is as often true as false: in parts by the drawing, and in all by being twins.
    often = [counts for counts in known.values() if counts.total() >= 4]
    surplus = sum(abs(counts["true"] - counts["false"]) for counts in often)
    chance = sum(expected_surplus(round(counts.total())) for counts in often)
    assert len(often) > 9
    assert surplus < 1.5 * chance


def expected_surplus(tosses):
    """Of heads over tails, or the other way."""
    return sum(abs(tosses - 2 * k) * comb(tosses, k) for k in range(tosses + 1)) / 2**tosses


@pytest.mark.parametrize(
    "form", ["vqa-count", "vqa-colour", "vqa-shape", "gqa-order", "vqa-exists"]
)
def test_answers_of_a_form_are_about_equally_frequent(made, form):
    _, rows = made
    counts = Counter(next(iter(row.answers)) for row in rows if form_of(row) == form)
    mean = counts.total() / len(counts)
    assert all(0.55 * mean < number < 1.5 * mean for number in counts.values())
