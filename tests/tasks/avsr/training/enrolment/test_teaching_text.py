"""Whose text is believed, and where its words are put."""

import numpy as np
import pytest
import torch

from data_prep.clips.manifest import Clip
from modalities.speech.timed_text import Word
from modalities.speech.whisper import load_whisper
from tasks.avsr.sets.set_recogniser import SetRecogniser
from tasks.avsr.training.enrolment.teaching_text import (
    LATE_S,
    TeachingText,
    believe,
    score_tokens,
    tighten,
)

RATE_HZ = 16_000


@pytest.mark.parametrize(
    ("frozen", "heard", "sure", "expected"),
    [
        # As measured on clips of GRID, and of other speech.
        ("Legrina Tarnine now.", "lay green at r nine now", (-0.85, -0.04, -1.59), "set"),
        ("Lake Green as 4 please.", "lay green at s four please", (-0.75, -0.002, -3.81), "set"),
        ("You can do for your country.", "bin blue by n three", (-0.19, -0.57, -8.53), "frozen"),
        ("Ask not what you are coming.", "place blue by k nine", (-0.62, -1.1, -8.67), ""),
        ("Ask not what you", "bin red by n three", (-0.3, -0.01, -8.5), "frozen"),
        ("place red", "Place  red", (-2.0, -2.0, -2.0), "frozen"),
        ("", "", (-0.1, -0.1, -0.1), ""),
    ],
)
def test_a_set_is_believed_where_it_is_sure_and_makes_sense(frozen, heard, sure, expected):
    assert believe(frozen, heard, *sure) == expected


def test_words_end_where_the_next_begins_and_the_sound_begins_and_ends_them():
    sound = np.zeros(2 * RATE_HZ, np.float32)
    time = np.arange(RATE_HZ)
    sound[RATE_HZ // 2 : RATE_HZ * 3 // 2] = np.sin(time)
    sound += 0.5 * np.sin(2 * np.pi * 20 * np.arange(len(sound)) / RATE_HZ).astype(np.float32)
    words = [Word(0.0, 0.9, " bin"), Word(1.0, 1.2, " blue"), Word(1.3, 2.0, " now")]
    found = tighten(words, sound)
    assert [word.text for word in found] == ["bin", "blue", "now"]
    assert found[0].start_s == pytest.approx(0.5, abs=0.011)
    assert found[1].start_s == pytest.approx(1.0 - LATE_S)
    assert [w.end_s for w in found[:2]] == [w.start_s for w in found[1:]]
    assert found[2].end_s == pytest.approx(1.5, abs=0.011)
    assert tighten([], sound) == ()


@pytest.fixture(scope="module")
def teaching() -> TeachingText:
    return TeachingText(SetRecogniser(load_whisper("whisper-tiny.en")))


def test_scores_are_those_of_each_row_alone(teaching):
    adapted = teaching.adapted
    with torch.inference_mode():
        states = adapted.encoder(adapted.hear([np.zeros(9000, np.float32)] * 2)).values
        texts = [[383, 3329], [383]]
        both = score_tokens(adapted, states, texts)
        alone = [score_tokens(adapted, states[:1], [text])[0] for text in texts]
        tokens = torch.tensor([[*adapted.prompt, 383, adapted.end]])
        logits = adapted.read(states[:1], tokens[:, :-1]).log_softmax(-1)[0]
        first = len(adapted.prompt) - 1
        told = [float(logits[first, 383]), float(logits[first + 1, adapted.end])]
    assert both == pytest.approx(alone, abs=1e-4)
    assert both[1] == pytest.approx(sum(told) / 2, abs=1e-4)


def test_a_written_text_is_kept_and_gets_times(teaching):
    noise = np.random.default_rng(0).normal(0, 0.1, RATE_HZ).astype(np.float32)
    timed = (Word(0.1, 0.4, "one"),)
    clips = [Clip("a", "a.wav", "one two"), Clip("b", "b.wav", "one", words=timed)]
    found = teaching.teach(clips, [noise, noise])
    assert [one.text for one in found] == ["one two", "one"]
    assert [one.source for one in found] == ["written", "written"]
    assert [word.text for word in found[0].words] == ["one", "two"] and found[1].words == timed
