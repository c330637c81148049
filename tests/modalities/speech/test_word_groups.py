"""Words are grouped as transformers groups them, and have the times of their tokens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.whisper.tokenization_whisper import LANGUAGES, _combine_tokens_into_words

from modalities.speech.timed_text import Word
from modalities.speech.whisper import load_whisper
from modalities.speech.word_groups import split_words, time_words


@pytest.fixture(scope="module")
def whisper():
    return load_whisper("whisper-tiny.en")


@pytest.fixture(scope="module")
def marks(whisper) -> list[int]:
    """Tokens of punctuation, spaces and parts of letters."""
    spell = whisper.vocabulary.spell
    return [n for n in range(50_256) if not any(c.isalnum() for c in spell([n]))]


def reference(whisper, tokens, language) -> list[tuple[str, int]]:
    if not tokens:
        return []
    words, groups, _ = _combine_tokens_into_words(whisper.tokenizer, list(tokens), language)
    return [(word, len(group)) for word, group in zip(words, groups, strict=True) if group]


@settings(max_examples=50, deadline=None)
@given(st.data(), st.sampled_from(["en", "ja", "my", "yue"]))
def test_words_are_split_as_transformers_splits_them(whisper, marks, data, language):
    token = st.integers(0, 50_255) | st.sampled_from(marks)
    tokens = data.draw(st.lists(token, max_size=40))
    found = split_words(whisper.vocabulary.spell, tokens, language)
    assert found == reference(whisper, tokens, LANGUAGES[language])


def test_a_vocabulary_spells_as_transformers_does(whisper):
    random = np.random.default_rng(0)
    for _ in range(200):
        tokens = random.integers(0, 50_256, random.integers(0, 20)).tolist()
        assert whisper.vocabulary.spell(tokens) == whisper.tokenizer.decode(tokens)


def test_a_word_lasts_from_its_first_token_to_the_one_after_its_last(whisper):
    spell = whisper.vocabulary.spell
    texts = [whisper.tokenizer.encode(t, add_special_tokens=False) for t in (" Unbelievable!", "")]
    count = len(texts[0])
    assert count > 2
    times = np.arange(count + 1) * 0.5
    assert time_words(spell, texts, times, "en") == [
        (Word(0.0, count * 0.5, " Unbelievable!"),),
        (),
    ]
