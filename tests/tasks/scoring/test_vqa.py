"""VQA accuracy: the challenge's rules, its published examples and its surprises."""

import random

import pytest

from tasks.scoring.vqa import normalise_answer, vqa_accuracy


def ten(*answers: str) -> list[str]:
    """Ten references: these, and for the rest others that nobody says twice."""
    return [*answers, *(f"other {number}x" for number in range(10 - len(answers)))]


@pytest.mark.parametrize(("agreeing", "score"), [(0, 0), (1, 30), (2, 60), (3, 90), (4, 100)])
def test_score_is_the_mean_over_leaving_each_person_out(agreeing, score):
    assert vqa_accuracy("net", ten(*["net"] * agreeing)) == pytest.approx(score)


def test_ten_that_agree_are_100():
    assert vqa_accuracy("net", ["net"] * 10) == 100


# What lavis/common/vqa_tools/vqa_eval.py of salesforce-lavis 1.0.2, the challenge's script of 2016,
# makes of these: VQAEval().processDigitArticle(VQAEval().processPunctuation(text)).
@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("The Cat", "cat"),
        ("a man and an apple", "man and apple"),
        ("Two dogs", "2 dogs"),
        ("none", "0"),
        ("ten", "10"),
        ("eleven", "eleven"),
        ("dont", "don't"),
        ("couldnt've", "couldn't've"),
        ("somebody'd", "somebodyd"),
        ("oclock", "o'clock"),
        ("im", "im"),
        ("its", "its"),
        ("black/white", "black white"),
        ("black / white", "black white"),
        ("t-shirt", "t shirt"),
        ("t -shirt", "t shirt"),
        ("1,000", "1000"),
        ("1,000-foot", "1000foot"),
        ("red, white", "red white"),
        ("red,white", "red white"),
        ("3.50", "3.50"),
        ("3. 50", "3 50"),
        ("yes.", "yes"),
        ("u.s.a.", "usa"),
        ("cat's", "cat's"),
        ("10:30", "10:30"),
        ("50%", "50%"),
        ("the", ""),
        ("", ""),
        (" no\n", "no"),
        ("." * 40, "." * 8),
    ],
)
def test_answers_are_normalised_as_the_challenge_does(text, normalised):
    assert normalise_answer(text) == normalised


def test_normalising_twice_changes_nothing_for_plain_answers():
    draw = random.Random(0)
    words = "a the two none red, dont t-shirt 3.5 yes. 'twas U.S. 1,000 oclock".split()
    for _ in range(300):
        once = normalise_answer(" ".join(draw.choice(words) for _ in range(3)))
        assert normalise_answer(once) == once


def test_both_sides_are_normalised_where_people_differ():
    assert vqa_accuracy("Two.", ten("2", "two", "the two", "2.")) == 100


def test_nothing_is_normalised_where_all_people_wrote_the_same():
    # GT-Vision-Lab/VQA issue 14: so that text in a picture is read to the letter.
    assert vqa_accuracy("yes!", ["yes"] * 10) == 0
    assert vqa_accuracy("the cat", ["the cat"] * 10) == 100
    assert vqa_accuracy(" yes\n", ["yes"] * 10) == 100  # spaces at the ends do go


def test_older_rules_normalise_the_answer_but_not_numbers_and_articles_of_people():
    # GT-Vision-Lab/VQA issue 7: "none" of one person in ten had 0, and 30 was expected.
    assert vqa_accuracy("none", ten("none"), "vl_t5") == 0
    assert vqa_accuracy("none", ten("none")) == pytest.approx(30)
    assert vqa_accuracy("yes!", ["yes"] * 10, "vl_t5") == 100
    assert vqa_accuracy("the cat", ["the cat"] * 10, "vl_t5") == 0
    assert vqa_accuracy("Black-white", ten("black/white"), "vl_t5") == pytest.approx(30)


def test_order_of_references_changes_nothing():
    references = ten("net", "net", "mesh", "orange")
    assert vqa_accuracy("net", references) == vqa_accuracy("net", references[::-1])


@pytest.mark.parametrize("references", [[], ["yes"], ["yes"] * 3, "yes and no"])
def test_fewer_than_four_people_are_refused(references):
    with pytest.raises(ValueError, match=r"expected the answers of ten people.*label_score"):
        vqa_accuracy("yes", references)
