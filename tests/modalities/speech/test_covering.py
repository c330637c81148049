"""No speech of more than a second is left without a word, and no word is longer than it can be."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalities.speech.covering import (
    LONGEST_WORD_S,
    MISSED_S,
    find_missed,
    part_at_pauses,
    shorten,
    spread,
    stretch_of,
    without_doubles,
)
from modalities.speech.timed_text import Word


def say(*words: tuple[float, float, str]) -> tuple[Word, ...]:
    return tuple(Word(start, end, f" {text}") for start, end, text in words)


def rising(values: list[int]) -> list[tuple[float, float]]:
    """Pair up times in tenths of a second, in order and apart."""
    times = sorted(set(values))
    return [(a / 10, b / 10) for a, b in zip(times[::2], times[1::2], strict=False)]


TIMES = st.lists(st.integers(0, 300), max_size=24).map(rising)


@settings(max_examples=300, deadline=None)
@given(speech=TIMES, said=TIMES)
def test_every_tenth_of_speech_is_in_a_word_or_missed_or_in_a_gap_of_a_second(speech, said):
    words = say(*((a, b, "word") for a, b in said))
    missed = find_missed(speech, words, 0.0, 30.0)
    assert all(b - a > MISSED_S for a, b in missed)
    uncovered = 0
    for tenth in range(300):
        middle = tenth / 10 + 0.05
        inside = any(a < middle < b for a, b in speech)
        covered = any(a < middle < b for a, b in [*said, *missed])
        uncovered = uncovered + 1 if inside and not covered else 0
        assert uncovered <= 10
        assert inside or not any(a < middle < b for a, b in missed)


@settings(max_examples=200, deadline=None)
@given(said=TIMES, speech=TIMES)
def test_shortened_words_stay_within_themselves_and_are_never_too_long(said, speech):
    words = say(*((a, b, "word") for a, b in said))
    for before, after in zip(words, shorten(words, speech), strict=True):
        assert before.start_s <= after.start_s <= after.end_s <= before.end_s
        assert after.end_s - after.start_s <= LONGEST_WORD_S + 1e-9


def test_long_words_may_be_long():
    (word,) = shorten(say((0.0, 9.0, "Donaudampfschifffahrt")))
    assert word.end_s == pytest.approx(21 * 0.15)


def test_the_first_word_keeps_its_end_and_others_their_start():
    first, last = shorten(say((0.0, 5.0, "so"), (5.0, 11.0, "it")))
    assert (first.start_s, first.end_s) == (4.0, 5.0)
    assert (last.start_s, last.end_s) == (5.0, 6.0)


def test_a_word_ends_with_the_speech():
    (word,) = shorten(say((0.0, 1.0, "so")), [(0.2, 0.7), (0.9, 3.0)])
    assert (word.start_s, word.end_s) == (0.2, 0.7)


def test_a_text_is_parted_where_nobody_speaks_for_two_seconds():
    text = stretch_of(say((0.0, 0.5, "so"), (0.5, 1.0, "it"), (3.5, 4.0, "goes")))
    one, two = part_at_pauses(text)
    assert (one.start_s, one.end_s, one.text) == (0.0, 1.0, " so it")
    assert (two.start_s, two.end_s, two.text) == (3.5, 4.0, " goes")


def test_a_word_heard_on_both_sides_of_an_edge_is_kept_once():
    known = say((0.0, 1.0, "He"), (1.0, 2.0, "said:"), (9.0, 9.5, "And"), (9.5, 10.0, "so"))
    again = say((1.9, 2.1, "said"), (3.0, 4.0, "go"), (4.0, 5.0, "home"), (8.9, 9.1, "and"))
    assert [w.text for w in without_doubles(again, (2.0, 9.0), known)] == [" go", " home"]


def test_a_sentence_that_was_said_twice_is_kept_twice():
    known = say((0.0, 0.3, "one"), (0.3, 0.6, "two"), (0.6, 1.0, "three"))
    again = say((1.5, 1.8, "one"), (1.8, 2.1, "two"), (2.1, 2.5, "three"))
    assert without_doubles(again, (1.2, 2.6), known) == again


def test_words_outside_of_the_stretch_are_not_taken():
    assert without_doubles(say((0.0, 0.4, "so")), (3.0, 5.0), ()) == ()


def squeezed_at(time_s: float, text: str) -> tuple[Word, ...]:
    return say(*((time_s, time_s, word) for word in text.split()))


@pytest.mark.parametrize("late", [False, True], ids=["before the hole", "after it"])
def test_words_without_time_are_spread_over_the_speech_beside_them(late):
    first, last = say((0.0, 0.5, "only")), say((2.5, 3.0, "This"))
    squeezed = squeezed_at(2.5 if late else 0.5, "on a white gown.")
    text = stretch_of([*squeezed, *last] if late else [*first, *squeezed])
    other = stretch_of(first if late else last)
    texts = [other, text] if late else [text, other]
    found = [word for part in spread(texts, [(0.0, 3.0)], 3.0) for word in part.words]
    assert "".join(word.text for word in found) == " only on a white gown. This"
    assert find_missed([(0.0, 3.0)], found, 0.0, 3.0) == []
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in pairwise(found))


def test_two_words_are_not_spread_over_a_sentence_nor_is_one_over_a_second():
    for text, end_s in (("on a", 2.5), ("gown.", 1.6)):
        texts = [stretch_of([*say((0.0, 0.5, "put")), *squeezed_at(0.5, text)])]
        assert spread(texts, [(0.0, end_s)], end_s) == texts


def test_all_words_that_were_squeezed_at_an_edge_are_doubles():
    known = [*say((0.0, 0.5, "put")), *squeezed_at(0.5, "on a white gown.")]
    found = say((0.6, 0.8, "on"), (0.8, 1, "a"), (1, 1.5, "white"), (1.5, 2, "gown"), (3, 4, "Yes"))
    assert [w.text for w in without_doubles(found, (0.5, 5.0), known)] == [" Yes"]
