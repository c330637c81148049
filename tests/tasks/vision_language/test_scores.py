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
        *(row(f"c{n}", "caption", {}, [text], (f"{n}",)) for n, text in enumerate(said)),
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


def test_rows_about_one_image_share_their_captions():
    texts = {"a": ("a red car", "a car on a road"), "b": ("two dogs", "dogs in the snow")}
    each = [
        row(f"{image}{n}", "caption", {text: 1.0}, (), (image,))
        for image, said in texts.items()
        for n, text in enumerate(said)
    ]
    whole = [row(image, "caption", {}, said, (image,)) for image, said in texts.items()]
    said = {"a": "a car on a red road", "b": "two dogs in snow"}
    found = score_answers(each, [said[one.images[0]] for one in each])["caption"]
    expected = score_answers(whole, list(said.values()))["caption"]
    assert found == pytest.approx([score for score in expected for _ in range(2)])
    assert score_answers(each[:2], ["a", "b"]) == {}, "CIDEr needs two images, not two rows"


def test_references_that_no_rule_looks_at_are_no_answer():
    assert score_answers([row("0", "gqa", {}, ["yes"])], ["yes"]) == {}
    assert score_answers([row("0", "vqa", {}, ["yes"] * 3)], ["yes"]) == {}
    assert score_answers([row("0", "vqa", {}, ["yes"] * 4)], ["yes"]) == {"vqa": [100.0]}


def test_an_answer_is_right_as_the_model_can_write_it():
    def small(texts):
        return [text.lower() for text in texts]

    rows = [row("0", "vqa", {"Yes": 1.0}), row("1", "gqa", {"Red": 0.3, "red": 0.6})]
    assert score_answers(rows, ["yes", "red"]) == {"vqa": [0.0], "gqa": [60.0]}
    found = score_answers(rows, ["yes", "red"], respell=small)
    assert found == {"vqa": [100.0], "gqa": [60.0]}
