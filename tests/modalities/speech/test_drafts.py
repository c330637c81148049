"""A draft is followed as far as it is right, and what the model itself chooses is what is said."""

import numpy as np
import pytest

from modalities.speech.drafts import Draft
from modalities.speech.token_rules import TokenRules
from modalities.speech.vocabulary import Vocabulary

END, NO_SPEECH, NO_TIMES, FIRST, SIZE = 50, 58, 59, 60, 80
TEXT = [60, 20, 21, 22, 3, 65, 65, 23, 24, 70]  # what the model says, with times and a comma
RULES = TokenRules([NO_TIMES], [NO_TIMES, END], FIRST, END, None)


def follow(draft: Draft, guess: list[int]) -> list[int]:
    """Let a model that says TEXT whatever it reads follow a guess; rows are numbers of tokens."""

    def score(rows: np.ndarray) -> np.ndarray:
        logits = np.zeros((len(rows), SIZE), np.float32)
        for row, number in zip(logits, rows[:, 0].astype(int), strict=True):
            row[(TEXT + [END])[min(number, len(TEXT))]] = 5
        return logits

    return draft.follow(guess, np.arange(len(guess) + 1, dtype=np.float32)[:, None], score)


@pytest.fixture
def draft() -> Draft:
    vocabulary = Vocabulary(None, SIZE, 51, END, NO_TIMES)  # type: ignore[arg-type]
    return Draft(RULES, vocabulary, prompt=1, most=40, circles=False)


def test_a_right_draft_is_read_once(draft):
    follow(draft, TEXT)
    assert draft.finished and draft.said == TEXT
    assert draft.attempt().tokens == TEXT and draft.attempt().log_probability < 0


def test_silence_is_told_by_the_first_row(draft):
    follow(draft, TEXT)
    assert draft.attempt().no_speech == pytest.approx(1 / (np.exp(5) + SIZE - 1), rel=1e-3)


@pytest.mark.parametrize(
    ("guess", "mended"),
    [
        ([60, 20, 21, 22, 3, 66, 66, 23, 24, 70], TEXT),  # another time of a pause
        ([60, 20, 21, 22, 65, 65, 23, 24, 70], [60, 20, 21, 22, 3, 65, 65]),  # a comma less
        ([60, 20, 21, 30, 3, 65, 65, 23, 24, 70], TEXT),  # another word
    ],
)
def test_a_wrong_draft_is_mended(draft, guess, mended):
    better = follow(draft, guess)
    assert not draft.finished and better[: len(mended)] == mended


def test_a_comma_too_many_is_left_out(draft):
    """The model reads on: what it chooses after the comma does not count."""
    better = follow(draft, [60, 20, 3, 21, 22, 3, 65, 65, 23, 24, 70])
    assert draft.said == TEXT[:3] and better[:3] == TEXT[:3]


@pytest.mark.parametrize("guess", [[], [61], [60, 20, 30], [30] * 12, TEXT[:4]])
def test_whatever_is_drafted_the_model_has_its_way(draft, guess):
    for _ in range(40):
        if draft.finished:
            break
        follow(draft, [*draft.said, *guess[len(draft.said) :]])
    assert draft.said == TEXT


def test_no_more_is_said_than_is_wanted():
    vocabulary = Vocabulary(None, SIZE, 51, END, NO_TIMES)  # type: ignore[arg-type]
    draft = Draft(RULES, vocabulary, prompt=1, most=4, circles=False)
    follow(draft, TEXT)
    assert draft.finished and draft.said == TEXT[:4]
