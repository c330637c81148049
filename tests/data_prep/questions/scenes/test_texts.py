"""Texts give the words of both worlds a meaning, and ask nothing as the unseen world does."""

import re

import numpy as np
import pytest

from data_prep.questions.scenes.reading import MEANINGS, SAME, read_text
from data_prep.questions.scenes.wording import WORDINGS
from data_prep.questions.scenes.words import PROMPTS, build_tokenizer, words_of_worlds
from data_prep.questions.scenes.world import WORLDS

PART = re.compile(r"\\\{\w+\\\}")


@pytest.fixture(scope="module")
def texts():
    random = np.random.default_rng(0)
    return [read_text(random) for _ in range(2000)]


def test_no_text_is_worded_as_in_the_unseen_world(texts):
    forms = WORDINGS["unseen"].templates
    templates = [way for task in forms.values() for ways in task.values() for way in ways]
    # One that begins or ends with what it is about would fit half of all sentences.
    said = [way for way in templates if re.search(r"[a-z]{3}", re.sub(r"\{\w+\}", "", way))]
    patterns = [re.compile(PART.sub(".+", re.escape(way))) for way in said]
    asked = [part for _, text, _ in texts for part in text.removeprefix(SAME).split(": ")]
    assert not [part for part in asked for one in patterns if one.fullmatch(part)]


def test_no_text_is_cut_and_all_its_words_are_known(texts):
    tokenizer = build_tokenizer()
    known = set(words_of_worlds())
    longest = max(map(len, tokenizer([PROMPTS[0] + text for _, text, _ in texts]).input_ids))
    assert longest <= 20
    words = {w for _, text, answer in texts for w in re.findall(r"[a-z]+", f"{text} {answer}")}
    assert words <= known
    values = {v for world in WORLDS.values() for some in world.values.values() for v in some}
    assert values <= words


def test_what_is_asked_about_one_thing_is_told_of_it(texts):
    seen = 0
    for _, text, answer in texts:
        found = re.fullmatch(r"an? ([a-z ]+): (what colour|what shape) is the [a-z ]+\?", text)
        if found and not re.search("left|right|above|below", found[1]):
            *adjectives, shape = found[1].split()
            assert answer == shape if found[2] == "what shape" else answer in adjectives
            seen += 1
        found = re.fullmatch(r"an? ([a-z ]+): is there an? ([a-z ]+)\?", text)
        if found and not re.search("left|right|above|below| or | and ", found[1] + found[2]):
            named = {*found[2].split()} - {"thing"}
            assert (answer == "yes") == (named <= {*found[1].split()})
            seen += 1
    assert seen > 50


def test_a_sentence_comes_back_in_words_of_the_seen_world(texts):
    other = [(text.removeprefix(SAME), answer) for _, text, answer in texts if SAME in text]
    assert len(other) > 400 and sum(text != answer for text, answer in other) > 200
    words = {word for _, answer in other for word in answer.split()}
    assert not words & {"tiny", "big", "object", "image", "rose", "disc", "further", "higher"}


def test_meanings_are_asked_word_by_word(texts):
    asked = {
        text: answer for _, text, answer in texts if text.removeprefix("what is ")[:-1] in MEANINGS
    }
    assert asked["what is crescent?"] == "shape" and asked["what is tiny?"] == "small"
    assert len(asked) > 0.9 * len(MEANINGS)


def test_a_seed_gives_the_same_texts(texts):
    random = np.random.default_rng(0)
    assert [read_text(random) for _ in range(50)] == texts[:50]
