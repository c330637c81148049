"""CIDEr: pycocoevalcap's numbers, what no number shows, and what it refuses."""

import json
import random
from pathlib import Path

import pytest

from tasks.scoring.captions import cider
from tasks.scoring.treebank_words import split_caption

ANSWERS = json.loads(Path(__file__).with_name("caption_answers.json").read_text("utf-8"))
USUAL = 100  # ours by pycocoevalcap's
WORDS = "red blue small big cube sphere cone left right of above near two three the a".split()


def sentence(draw: random.Random, words: int) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(words))


@pytest.mark.parametrize("answer", ANSWERS["words"], ids=lambda answer: answer["text"][:30])
def test_words_are_those_of_the_java_tokeniser(answer):
    assert split_caption(answer["text"]) == answer["words"].split()


@pytest.mark.parametrize("form", ["cider_d", "cider"])
@pytest.mark.parametrize("images", ANSWERS["sets"], ids=["pictures", "shapes", "men"])
def test_scores_are_100_times_those_of_pycocoevalcap(images, form):
    names = [f"image {number}" for number in range(len(images))]
    candidates = {n: image["candidate"] for n, image in zip(names, images, strict=True)}
    references = {n: image["references"] for n, image in zip(names, images, strict=True)}
    theirs = [USUAL * image[form] for image in images]
    score = cider(candidates, references, form)
    assert list(score.of_each.values()) == pytest.approx(theirs, rel=1e-12, abs=1e-12)
    assert score.mean == pytest.approx(sum(theirs) / len(theirs), rel=1e-12, abs=1e-12)


def test_line_breaks_of_any_kind_are_spaces_and_shift_no_caption():
    for mark in "\n\r\t\x0b\x0c\x85\u2028\u2029":
        assert split_caption(f"A man{mark}rides.") == ["a", "man", "rides"]


def test_no_caption_scores_above_the_only_reference_itself():
    draw = random.Random(0)
    references = {str(n): [sentence(draw, draw.randint(4, 9))] for n in range(12)}
    own = {name: texts[0] for name, texts in references.items()}
    best = cider(own, references)
    assert list(best.of_each.values()) == pytest.approx([1000] * 12)
    for _ in range(50):
        others = {name: sentence(draw, draw.randint(1, 12)) for name in references}
        scored = cider(others, references).of_each
        assert all(0 <= value <= 1000 + 1e-9 for value in scored.values())
        assert max(scored.values()) < 1000


def test_a_perfect_caption_of_fewer_than_four_words_has_a_quarter_less_for_each():
    texts = {"four": "one two three four", "three": "a b c", "two": "d e", "one": "f"}
    scored = cider(texts, {name: [text] for name, text in texts.items()}).of_each
    assert scored == pytest.approx({"four": 1000, "three": 750, "two": 500, "one": 250})


def test_order_of_references_and_of_images_changes_nothing():
    draw = random.Random(1)
    references = {str(n): [sentence(draw, 7) for _ in range(5)] for n in range(6)}
    candidates = {name: sentence(draw, 7) for name in references}
    turned = {name: texts[::-1] for name, texts in reversed(references.items())}
    assert cider(candidates, turned).of_each == pytest.approx(cider(candidates, references).of_each)


def test_words_that_all_images_have_weigh_nothing():
    references = {"1": ["a man rides"], "2": ["a man sits"]}
    assert cider({"1": "a man", "2": "a man"}, references).mean == 0


def test_case_and_punctuation_do_not_count():
    references = {"1": ["A man, in a red hat, rides."], "2": ["Two dogs"]}
    plain = cider({"1": "a man in a red hat rides", "2": "x"}, references)
    assert plain.of_each["1"] == pytest.approx(1000)


def test_too_long_and_too_short_captions_lose_by_the_gaussian_of_cider_d_only():
    references = {"1": ["a red cube"], "2": ["two dogs"]}
    said = {"1": "a red cube and and and and and and", "2": "x"}
    assert cider(said, references).of_each["1"] < cider(said, references, "cider").of_each["1"]


@pytest.mark.parametrize(
    ("candidates", "references", "message"),
    [
        ({"1": "a"}, {"1": ["a"], "2": ["b"]}, r"1 of 2 images have no captions.*'2' first"),
        ({"1": "a", "2": "b"}, {"1": ["a"]}, r"1 of 2 images have no references.*'2' first"),
        ({"1": "a", "2": "b"}, {"1": ["a"], "2": []}, r"references of image '2' are \[\]"),
        ({"1": "a", "2": "b"}, {"1": ["a"], "2": "b"}, r"references of image '2' are 'b'"),
        ({"1": "a"}, {"1": ["a"]}, r"captions of 1 image; expected two or more"),
        ({}, {}, r"captions of 0 image; expected two or more"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_line(candidates, references, message):
    with pytest.raises(ValueError, match=message) as refusal:
        cider(candidates, references)
    assert "\n" not in str(refusal.value)
