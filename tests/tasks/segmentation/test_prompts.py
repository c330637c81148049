"""Prompts drawn as in the paper, or fixed."""

from collections import Counter

import numpy as np
import pytest

from data_prep.masks.manifest import MaskedImage
from tasks.segmentation.config import PromptOptions
from tasks.segmentation.prompts import draw_prompt, draw_text

PROMPTS = {
    "p0": ("",),
    "p1": ("polyp",),
    "p2": ("round polyp",),
    "p10": ("a", "b", "c", "d"),
    "p3": (),
}
ROW = MaskedImage("image-1", "image.png", "mask.png", "polyp", prompts=PROMPTS)
DRAWN = 6000


def draw_many(options: PromptOptions, row: MaskedImage = ROW) -> Counter:
    random = np.random.default_rng(0)
    return Counter(draw_prompt(row, options, random) for _ in range(DRAWN))


def test_keys_are_equally_likely_whatever_their_wordings_and_the_empty_one_never_comes():
    found = draw_many(PromptOptions())
    assert not any(prompt.unrelated for prompt in found)
    counts = {prompt.text: count / DRAWN for prompt, count in found.items()}
    assert set(counts) == {"polyp", "round polyp", "a", "b", "c", "d"}
    for text in ("polyp", "round polyp"):
        assert counts[text] == pytest.approx(1 / 3, abs=0.03)
    for text in "abcd":
        assert counts[text] == pytest.approx(1 / 12, abs=0.02)


def test_what_is_drawn_does_not_depend_on_the_order_of_the_keys():
    turned = MaskedImage("i", "", "", "polyp", prompts=dict(reversed(PROMPTS.items())))
    drawn = [
        [draw_text(row, "random", "", np.random.default_rng(seed)) for seed in range(50)]
        for row in (ROW, turned)
    ]
    assert drawn[0] == drawn[1]


def test_a_key_takes_its_own_wordings():
    assert set(draw_many(PromptOptions(use="p2"))) == {("round polyp", False)}
    assert {prompt.text for prompt in draw_many(PromptOptions(use="p10"))} == set("abcd")
    assert {prompt.text for prompt in draw_many(PromptOptions(use="p0"))} == {""}


def test_one_sentence_for_all_says_the_class():
    options = PromptOptions(use="fixed", text="the {label} in this image, {x}")
    assert set(draw_many(options)) == {("the polyp in this image, {x}", False)}
    bare = MaskedImage("i", "", "", "polyp")
    assert draw_prompt(bare, options, np.random.default_rng(0)).text.startswith("the polyp")


def test_a_share_of_the_prompts_is_about_something_else():
    texts = ("a bus", "a dog")
    found = draw_many(PromptOptions(unrelated=0.25, unrelated_texts=texts))
    others = {prompt.text: count for prompt, count in found.items() if prompt.unrelated}
    assert set(others) == set(texts)
    assert sum(others.values()) / DRAWN == pytest.approx(0.25, abs=0.02)


def test_an_image_without_such_prompts_is_named():
    random = np.random.default_rng(0)
    with pytest.raises(ValueError, match="image-1 has no prompts 'p7'; it has p0, p1, p2, p10, p3"):
        draw_text(ROW, "p7", "", random)
    with pytest.raises(ValueError, match="image-1 has no prompts 'p3'"):
        draw_text(ROW, "p3", "", random)
    bare = MaskedImage("bare", "", "", "polyp", prompts={"p0": ("",)})
    told = "bare has no prompts after p0 to draw from; it has p0.*prompts.use=fixed prompts.text="
    with pytest.raises(ValueError, match=told):
        draw_text(bare, "random", "", random)


def test_options_that_cannot_be_are_refused():
    for changes, told in (
        ({"use": "fixed"}, "expected a text with 'fixed'"),
        ({"text": "a polyp"}, "expected a text with 'fixed'"),
        ({"each": 0}, "prompts.each is 0"),
        ({"unrelated": 1.0}, "expected 0 to below 1"),
        ({"unrelated": -0.1}, "expected 0 to below 1"),
        ({"unrelated": 0.5, "unrelated_texts": ()}, "unrelated_texts is empty"),
    ):
        with pytest.raises(ValueError, match=told):
            PromptOptions(**changes)
