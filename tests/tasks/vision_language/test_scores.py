import pytest

from data_prep.questions.manifest import Question
from tasks.vision_language.scores import score_answers, summarise


def row(name, task, answers=(), references=(), images=("a",)):
    return Question(name, task, images, "what?", dict(answers), tuple(references))


def test_each_task_has_its_own_rule_and_all_one_scale():
    ten = ["red"] * 2 + ["blue"] * 8
    said = ["a red car on a road", "two dogs in the snow", "a cat"]
    rows = [
        row("0", "vqa", {"red": 0.6, "blue": 1.0}, ten),
        row("1", "gqa", {"yes": 1.0}),
        row("2", "gqa", {"yes": 1.0}),
        row("3", "nlvr2", {"true": 1.0}, images=("a", "b")),
        *(row(f"c{n}", "caption", {}, [text]) for n, text in enumerate(said)),
    ]
    found = score_answers(rows, ["The red.", "yes", "Yes", "true", *said])
    assert found["vqa"] == [pytest.approx(60.0)]  # two of ten
    assert found["gqa"] == [100.0, 0.0] and found["nlvr2"] == [100.0]
    assert found["caption"][0] == pytest.approx(1000.0)  # as its only reference: 10.0, not 1000 %
    means = summarise(found)
    assert means["average"] == pytest.approx(
        sum(means[task] for task in ("vqa", "gqa", "nlvr2", "caption")) / 4
    )


def test_what_is_not_known_is_not_scored():
    rows = [row("0", "gqa"), row("1", "gqa", {"no": 1.0}), row("2", "caption", {}, ["a dog"])]
    assert score_answers(rows, ["no", "no", "a dog"]) == {"gqa": [100.0]}  # CIDEr needs two images
    assert summarise({}) == {}


def test_videos_are_scored_by_the_letter_of_the_choice():
    rows = [row("0", "tvqa", {"a3": 1.0}), row("1", "how2qa", {"a0": 1.0})]
    assert score_answers(rows, ["a3", "a1"]) == {"tvqa": [100.0], "how2qa": [0.0]}
