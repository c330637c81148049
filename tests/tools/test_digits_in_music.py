from types import SimpleNamespace

import numpy as np
import pytest
import torch

from data_prep.media.wav import encode_wav
from data_prep.mixtures.manifest import MixedSound, write_mixtures
from data_prep.noise.levels import active_power
from modalities.audio_text.small_audio_text import build_small_audio_text
from tools.digits_in_music import (
    DIGITS,
    WORDS,
    count_word_errors,
    make_utterances,
    name_digit,
    spell_digits,
    take_talker,
)


@pytest.fixture
def music(tmp_path):
    """A recording of 6 s whose last 4 s test."""
    sound = 0.1 * np.random.default_rng(0).normal(size=96_000)
    sound[:32_000] = 0.5
    (tmp_path / "tune.wav").write_bytes(encode_wav(sound))
    rows = [
        MixedSound(str(n), str(tmp_path / "tune.wav"), ("music",), fold, 2.0 * n, 2.0 * n + 2)
        for n, fold in enumerate(("train", "test", "test"))
    ]
    write_mixtures(tmp_path / "manifest.jsonl", rows)
    return tmp_path / "manifest.jsonl"


def test_digits_are_said_in_music_as_loud_as_they_are(spoken, music):
    (one, other) = make_utterances(spoken, music, "ann", 2)
    again = next(iter(make_utterances(spoken, music, "ann", 1)))
    assert np.array_equal(one.mixture, again.mixture)
    assert not np.array_equal(one.mixture, other.mixture)
    assert len(one.text.split()) == DIGITS and set(one.text.split()) <= {
        "zero", "one", "two", "three"
    }  # fmt: skip
    tune = one.mixture - one.speech
    assert active_power(tune) == pytest.approx(active_power(one.speech), rel=0.05)
    assert np.abs(tune.mean()) < 0.02, "nothing that trains is heard"
    with pytest.raises(ValueError, match="0 digits by eve"):
        next(make_utterances(spoken, music, "eve", 1))


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("7, 2 and 10.", "seven two and one zero"),
        ("Seven, Two", "seven two"),
        ("72", "seven two"),
        ("It's 3!", "it's three"),
    ],
)
def test_figures_are_read_as_words(text, spelled):
    assert spell_digits(text) == spelled


def test_word_errors_are_those_of_words_however_they_are_written(spoken, music):
    utterances = list(make_utterances(spoken, music, "ann", 2))
    said = {id(one.speech): one.text for one in utterances}
    sounds = [one.speech for one in utterances]
    right = count_word_errors(utterances, sounds, lambda sound: said[id(sound)].upper())
    assert right.rate == 0
    assert count_word_errors(utterances, sounds, lambda _: "").rate == 100


def test_the_talker_is_all_sources_that_are_named_as_digits():
    found = SimpleNamespace(
        sources=np.array([[5.0], [1.0], [2.0]]), embeddings=np.zeros((3, 2)), rate_hz=16_000
    )
    for names, sum_ in ((["music", "4", "2"], 3), (["music", "noise", "music"], 5)):
        separator = SimpleNamespace(
            separate=lambda *_: found,
            name_sources=lambda _, names=names: [(name, 1.0) for name in names],
        )
        assert take_talker(separator, np.zeros(3))[0] == sum_  # type: ignore[arg-type]


def test_a_digit_is_named_by_the_nearest_text():
    texts = [str(number) for number in range(10)]
    model = build_small_audio_text(texts, dim=16, clip_s=0.5, rate_hz=16_000, widths=(8,))
    sound = np.random.default_rng(0).normal(0, 0.1, 9000).astype(np.float32)
    likeness = model.embed_audio(torch.from_numpy(sound)[None]) @ model.embed_text(texts).T
    assert name_digit(model, sound) == WORDS[int(likeness.argmax())]
