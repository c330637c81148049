"""What tells the sets' own sentences from other speech is learnt from unknown windows alone."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fusion.scenarios.options import VerifierOptions
from tasks.avsr.training import verifier_fitting
from tasks.avsr.training.config import NoiseOptions
from tasks.avsr.training.verifier_fitting import VerifierFitting

RATE_HZ = 16_000
OPTIONS = VerifierOptions(("doubt", "tokens"), ("all",), 0.5)


@pytest.fixture
def fitting() -> VerifierFitting:
    random = np.random.default_rng(0)
    time = np.arange(3 * RATE_HZ) / RATE_HZ
    own = [
        SimpleNamespace(waveform=np.sin(2 * np.pi * (300 + n) * time).astype(np.float32))
        for n in range(9)
    ]
    speech = [random.normal(0, 0.1, 9 * RATE_HZ).astype(np.float32) for _ in range(2)]
    return VerifierFitting(own, speech, NoiseOptions(clean=1.0), 20, OPTIONS, seed=3)


def test_windows_are_the_sets_own_in_changed_voices_and_other_speech_in_turn(fitting):
    windows = [fitting.draw(number) for number in range(12)]
    assert all(0 < len(window) <= 51_200 for window in windows)
    tonal = [np.abs(np.fft.rfft(w)).max() / np.abs(np.fft.rfft(w)).mean() > 100 for w in windows]
    assert tonal == [True, False] * 6
    pitches = {
        round(float(np.abs(np.fft.rfft(w)).argmax()) * RATE_HZ / len(w), -1) for w in windows[::2]
    }
    assert len(pitches) > 2 and max(pitches) > 330  # raised by up to a fifth
    np.testing.assert_array_equal(windows[5], fitting.draw(5))


@dataclass(frozen=True)
class Listener:
    """Knows every third window, and finds other speech doubtful."""

    listener: str | None = "ear"
    farthest: float = 1.0
    adapted: None = None

    def listen(self, waveforms):
        return waveforms

    def doubts(self, heard):
        return torch.zeros(len(heard))

    def unsure(self, doubts) -> list[bool]:
        return [False] * len(doubts)

    def sound_distances(self, heard, doubts) -> list[float]:
        return [0.5 if number % 3 == 2 else 2.0 for number in range(len(heard))]


def test_only_unknown_windows_count(fitting, monkeypatch):
    weighed = []

    def weigh(evidence, signals):
        weighed.append(len(evidence))
        rough = [np.abs(np.diff(w)).mean() > 0.5 * np.abs(w).mean() for w in evidence]
        return torch.tensor([[float(one), 1.0] for one in rough])

    monkeypatch.setattr(verifier_fitting, "weigh", weigh)
    monkeypatch.setattr(verifier_fitting, "Evidence", lambda *parts: parts[-1])
    told = []
    verifier = fitting.fit(Listener(), lambda done, total: told.append(done))
    assert weighed == [6] * 5 and told == [8, 16, 24, 32, 40]
    assert verifier.options == OPTIONS
    assert verifier.accepts(torch.tensor([[0.0, 1.0], [1.0, 1.0]]), [False] * 2) == [True, False]


def test_a_selector_that_knows_all_windows_leaves_nothing_to_learn(fitting):
    with pytest.raises(ValueError, match="nothing to verify"):
        fitting.fit(Listener(farthest=9.0))
    with pytest.raises(ValueError, match="no text to verify"):
        fitting.fit(Listener(listener=None))
