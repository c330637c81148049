"""CTranslate2 writes and times what torch does."""

import numpy as np
import pytest

from modalities.speech.decoding import WindowDecoder
from modalities.speech.engine import Sampling, cycles
from modalities.speech.engines import load_engine

pytest.importorskip("ctranslate2")
START = [50_257]


@pytest.fixture(scope="module")
def torch_engine():
    return load_engine("torch", "whisper-tiny.en")


@pytest.fixture(scope="module")
def engine():
    return load_engine("ctranslate2", "whisper-tiny.en")


@pytest.fixture(scope="module")
def speech(demo_clip) -> np.ndarray:
    from data_prep.media import read_audio

    return read_audio(demo_clip)


@pytest.fixture(scope="module")
def window(engine, speech):
    return engine.hear(engine.log_mel(speech))


def test_both_know_the_same_of_the_model(engine, torch_engine):
    ours, theirs = engine.vocabulary, torch_engine.vocabulary
    for name in ("size", "start_of_text", "end_of_text", "no_timestamps", "transcribe"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.languages == theirs.languages == {}
    assert engine.max_tokens == torch_engine.max_tokens == 448
    assert (ours.first_timestamp, ours.no_speech) == (50_363, 50_361)


def test_both_write_the_same(window, torch_engine, speech):
    ours = window.write(START, 100)
    theirs = torch_engine.hear(torch_engine.log_mel(speech)).write(START, 100)
    assert ours.tokens == theirs.tokens and len(ours.tokens) > 20
    assert ours.log_probability == pytest.approx(theirs.log_probability, abs=1e-3)
    assert ours.no_speech == pytest.approx(theirs.no_speech, abs=1e-4)


def test_windows_side_by_side_have_the_text_that_each_has_alone(engine, speech):
    sounds = [speech, speech[:48_000], np.zeros(16_000, np.float32), speech[40_000:]]
    windows = [engine.hear(engine.log_mel(sound)) for sound in sounds]
    limits = [100, 3, 40, 1000]
    guesses = engine.guess_all(windows, [START] * 4, limits)
    assert any(guesses[0]) and len(guesses[1]) <= 3
    rows = list(zip(windows, limits, guesses, strict=True))
    together = [window.write(START, limit, guess) for window, limit, guess in rows]
    alone = [window.write(START, limit) for window, limit, _ in rows]
    assert [a.tokens for a in together] == [a.tokens for a in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-5)
        assert one.no_speech == pytest.approx(other.no_speech, abs=1e-6)
    assert len(together[1].tokens) == 3 < len(together[0].tokens)


@pytest.mark.parametrize("limit", [1, 5])
def test_both_stop_at_a_limit(window, torch_engine, speech, limit):
    ours = window.write(START, limit)
    theirs = torch_engine.hear(torch_engine.log_mel(speech)).write(START, limit)
    assert ours.tokens == theirs.tokens and len(ours.tokens) == limit
    assert ours.log_probability == pytest.approx(theirs.log_probability, abs=1e-3)


def test_both_find_the_same_word_times(engine, torch_engine, speech):
    """To a step of 0.02 s: sums in another order may move a path by one."""
    frames = len(speech) // 160
    ours, theirs = (
        WindowDecoder(e).decode(e.log_mel(speech), frames) for e in (engine, torch_engine)
    )
    assert [s.text for s in ours.segments] == [s.text for s in theirs.segments]
    for one, other in zip(ours.segments, theirs.segments, strict=True):
        assert [w.text for w in one.words] == [w.text for w in other.words]
        for a, b in zip(one.words, other.words, strict=True):
            assert a.start_s == pytest.approx(b.start_s, abs=0.021)
            assert a.end_s == pytest.approx(b.end_s, abs=0.021)


def test_no_word_is_said_after_the_sound(window):
    tokens = window.write(START, 100).tokens
    text = [token for token in tokens if token < 50_256]
    times = window.token_times(START, text, 100)
    assert len(times) == len(text) + 1
    assert times.max() == pytest.approx(99 * 0.02) and (np.diff(times) >= 0).all()


def test_what_is_drawn_depends_on_the_seed_alone(window):
    sampling = Sampling((1.0,), 100.0, -100.0, 3)
    first = window.sample(START, 40, sampling)
    assert window.sample(START, 40, sampling) == first
    other = window.sample(START, 40, Sampling((1.0,), 100.0, -100.0, 4))
    assert other.tokens != first.tokens


def test_drawing_ends_with_the_first_result_that_looks_good(window):
    greedy = window.write(START, 60)
    cold = window.sample(START, 60, Sampling((0.01, 1.0), 100.0, -100.0, 0))
    assert cold.tokens == greedy.tokens
    hot = window.sample(START, 60, Sampling((0.01, 1.0), 100.0, 0.0, 0))
    assert hot.tokens != greedy.tokens


def test_circles_are_those_of_a_short_stretch():
    assert not cycles([1, 2, 3])
    assert not cycles([7, *[5] * 60])  # too short a stretch to be sure
    assert not cycles([7, *[1, 2, 3, 4, 5, 6, 8, 9] * 5][:-1])
    assert cycles([7, *[1, 2, 3, 4, 5, 6, 8, 9] * 5])


@pytest.mark.parametrize("guess", [[], [50_363], [50_363, 11, 12, 13] * 20, None])
def test_a_wrong_guess_changes_nothing(window, engine, monkeypatch, guess):
    expected = window.write(START, 40)
    draft = engine.guess

    def mislead(states, tokens, limit):
        said = tokens[len(START) :]
        if guess is None:  # every third token is wrong
            right = draft(states, tokens, limit)
            return said + [t if n % 3 else 11 for n, t in enumerate(right[len(said) :])]
        return [*said, *guess]

    monkeypatch.setattr(engine, "guess", mislead)
    found = window.write(START, 40)
    assert found.tokens == expected.tokens and len(found.tokens) > 20
    assert found.log_probability == pytest.approx(expected.log_probability, abs=1e-4)
    assert found.no_speech == pytest.approx(expected.no_speech, abs=1e-5)


def test_a_text_is_written_by_few_guesses(window, engine, monkeypatch):
    calls = []
    draft = engine.guess
    monkeypatch.setattr(engine, "guess", lambda *given: calls.append(1) or draft(*given))
    window.write(START, 100)
    assert len(calls) == 1
