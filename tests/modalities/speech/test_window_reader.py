"""A window is read until its speech is covered, whatever the decoder does."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalities.speech.decoding import WindowDecoder
from modalities.speech.timed_text import TimedText, WindowText, Word
from modalities.speech.window_reader import WindowReader

SPEECH = [(0.0, 30.0)]


@dataclass
class Lazy:
    """Says one word a second, "w7" from 7.2 to 7.8 s, and leaves out what it is told to.

    Attributes:
        deaf: Seconds that it passes over, but where it begins with them.
        most: Words after which it ends its text and says that all has been read.
    """

    deaf: frozenset[int] = frozenset()
    most: int = 30
    asked: list[int] = field(default_factory=list)

    def decode_once(self, mel, sound=3000, *, bad="sample", begun=None):
        seconds = [int(value) for value in mel[0, :sound:100].tolist()]
        place = 100 - int(mel[1, 0])  # frames to the first whole second
        self.asked.append(sound)
        first = int(mel[0, 0])
        words = []
        for number, second in enumerate(dict.fromkeys(seconds)):
            at = (second - first) + (place - 100) / 100
            heard = second not in self.deaf or number <= 1
            if heard and at >= -0.2 and at + 0.8 <= sound / 100 and len(words) < self.most:
                words.append(Word(at + 0.2, at + 0.8, f" w{second}"))
        if not words:
            return WindowText((), sound / 100)
        text = "".join(word.text for word in words)
        return WindowText((TimedText(0.0, sound / 100, text, tuple(words)),), sound / 100)


def mel_of_seconds() -> np.ndarray:
    """Frames that say which second they are in, and how far into it."""
    frames = np.arange(3000)
    return np.stack([frames // 100, frames % 100]).astype(np.float32)


def read(decoder: Lazy, speech=SPEECH) -> WindowText:
    return WindowReader(decoder).read(mel_of_seconds(), 3000, speech)  # type: ignore[arg-type]


def words(found: WindowText) -> list[str]:
    return [word.text.strip() for text in found.segments for word in text.words]


ALL = [f"w{second}" for second in range(30)]


def test_a_decoder_that_says_all_is_asked_once():
    decoder = Lazy()
    assert words(read(decoder)) == ALL
    assert len(decoder.asked) == 1


@pytest.mark.parametrize("most", [3, 7, 20])
def test_where_it_stops_early_it_goes_on_from_the_last_word(most):
    assert words(read(Lazy(most=most))) == ALL


@settings(max_examples=50, deadline=None)
@given(first=st.integers(1, 25), length=st.integers(2, 12))
def test_a_stretch_that_it_passes_over_is_tried_again(first, length):
    deaf = range(first, min(30, first + length))
    decoder = Lazy(frozenset(deaf))
    found = read(decoder)
    assert len(decoder.asked) > 1
    assert f"w{first}" in words(found)
    times = [time for text in found.segments for time in (text.start_s, text.end_s)]
    assert times == sorted(times)


def test_no_text_lasts_longer_than_its_words():
    found = read(Lazy(frozenset(range(8, 14))), [(0.0, 7.9), (14.1, 30.0)])
    assert "w10" not in words(found)
    for text in found.segments:
        assert (text.start_s, text.end_s) == (text.words[0].start_s, text.words[-1].end_s)
        assert all(b.start_s - a.end_s <= 2 for a, b in pairwise(text.words))


class Sentences(Lazy):
    """Says all it hears, in stretches of five words."""

    def decode_once(self, mel, sound=3000, *, bad="sample", begun=None):
        found = super().decode_once(mel, sound, bad=bad)
        said = [word for text in found.segments for word in text.words]
        parts = [tuple(said[n : n + 5]) for n in range(0, len(said), 5)]
        texts = [TimedText(p[0].start_s, p[-1].end_s, "", p) for p in parts]
        return WindowText(tuple(texts), found.next_s)


@pytest.mark.parametrize(("speech_ends_s", "next_s"), [(30.0, 25.2), (28.0, 30.0)])
def test_text_at_the_end_of_a_window_is_left_to_the_next_where_speech_goes_on(
    speech_ends_s, next_s
):
    reader = WindowReader(Sentences())  # type: ignore[arg-type]
    found = reader.read_once(mel_of_seconds(), 3000, [(0.0, speech_ends_s)])
    assert found.next_s == pytest.approx(next_s)
    assert words(found) == ALL[: int(next_s)]


class Mute(WindowDecoder):
    """Says nothing, and counts how often it was asked."""

    def __init__(self):
        self.asked = 0

    def decode_once(self, mel, sound=3000, *, frames=None, bad="sample", begun=None):
        self.asked += 1
        return WindowText((), sound / 100)


def test_tries_are_bounded_where_nothing_is_ever_said():
    decoder = Mute()
    spans = [(second, second + 0.01) for second in range(1, 30)]
    found = WindowReader(decoder).read(mel_of_seconds(), 3000, [(0.0, 0.5), *spans, (29.5, 30.0)])
    assert found.segments == () and decoder.asked == 1
    WindowReader(decoder).read(
        mel_of_seconds(), 3000, [(2.0 * n, 2.0 * n + 1.5) for n in range(15)]
    )
    assert decoder.asked <= 2 + 16 * 2


class Guessing(Lazy):
    """Passes over 10 to 12 s; when asked again guesses at the cut word that follows."""

    def decode_once(self, mel, sound=3000, *, bad="sample", begun=None):
        if not self.asked:
            return super().decode_once(mel, sound, bad=bad)
        said = TimedText(0.4, 2.4, " new", (Word(0.8, 2.2, " new"),))
        guess = TimedText(2.64, 2.78, " guess", (Word(2.64, 2.78, " guess"),))
        return WindowText((said, guess), sound / 100)


def test_what_lies_beside_a_stretch_that_is_read_again_is_not_taken():
    found = words(read(Guessing(frozenset({10, 11}))))
    assert "new" in found and "guess" not in found
