"""The feeder hands every speech sample to Whisper once, and holds little."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modalities.rates import RATE_HZ, WHISPER_WINDOW_SAMPLES
from tasks.avsr.inputs.windows import WindowFeeder


@dataclass(frozen=True)
class Span:
    start_s: float
    end_s: float


class Script:
    """A detector that knows the spans beforehand and tells of each half a second late."""

    def __init__(self, spans: list[tuple[float, float]]):
        self.spans = [Span(*span) for span in spans]
        self.heard_s = 0.0
        self.open_start_s: float | None = None

    @property
    def is_sure(self) -> bool:
        return self.open_start_s is not None

    def push(self, waveform: np.ndarray) -> list[Span]:
        self.heard_s += len(waveform) / RATE_HZ
        ended = [s for s in self.spans if s.end_s + 0.5 <= self.heard_s]
        self.spans = [s for s in self.spans if s not in ended]
        begun = [s.start_s for s in self.spans if s.start_s + 0.5 <= self.heard_s]
        self.open_start_s = begun[0] if begun else None
        return ended

    def flush(self) -> list[Span]:
        rest = [Span(s.start_s, min(s.end_s, self.heard_s)) for s in self.spans]
        self.spans, self.open_start_s = [], None
        return [s for s in rest if s.start_s < self.heard_s]


def feed(feeder: WindowFeeder, length_s: float, step_s: float = 29.0):
    """Push seconds of numbered samples; every unfinished window goes on after step_s."""
    samples = np.arange(round(length_s * RATE_HZ), dtype=np.float64)
    windows, most = [], 0
    for start in range(0, len(samples) + RATE_HZ, RATE_HZ):
        block = samples[start : start + RATE_HZ]
        if len(block):
            feeder.push(block.astype(np.float32))
        if start + RATE_HZ >= len(samples) and not feeder.finished:
            feeder.finish()
        most = max(most, len(feeder.buffer))
        while (window := feeder.next()) is not None:
            windows.append(window)
            feeder.advance(window, step_s)
    return windows, most


def test_without_detector_a_short_input_is_one_whole_window():
    windows, _ = feed(WindowFeeder(None), 11.0)
    assert [(w.start_s, len(w.waveform) / RATE_HZ, w.whole) for w in windows] == [(0.0, 11.0, True)]


def test_without_detector_thirty_seconds_exactly_are_one_whole_window():
    windows, _ = feed(WindowFeeder(None), 30.0)
    assert [(w.start_s, w.whole) for w in windows] == [(0.0, True)]


def test_a_long_input_goes_on_where_the_decoder_stopped():
    windows, _ = feed(WindowFeeder(None), 70.0, step_s=25.0)
    assert [w.start_s for w in windows] == [0.0, 25.0, 50.0]
    assert [w.whole for w in windows] == [False, False, True]


def test_a_window_holds_the_samples_of_its_time():
    windows, _ = feed(WindowFeeder(Script([(41.0, 43.5)])), 60.0)
    (window,) = windows
    assert window.start_s == 41.0
    assert window.waveform[0] == 41.0 * RATE_HZ
    assert len(window.waveform) == 2.5 * RATE_HZ


def test_no_speech_gives_no_window():
    assert feed(WindowFeeder(Script([])), 200.0)[0] == []


def test_spans_apart_are_decoded_apart_and_spans_close_together():
    windows, _ = feed(WindowFeeder(Script([(1, 3), (4, 6), (12, 14)])), 20.0)
    found = [(w.start_s, len(w.waveform) / RATE_HZ) for w in windows]
    assert found == [(1.0, 5.0), (12.0, 2.0)]


def test_a_long_stretch_is_cut_at_its_longest_pause():
    spans = [(1, 9), (10, 18), (18.5, 24), (25.5, 29), (30, 40), (40.5, 44)]
    windows, _ = feed(WindowFeeder(Script(spans)), 50.0)
    found = [(w.start_s, w.start_s + len(w.waveform) / RATE_HZ, w.whole) for w in windows]
    assert found == [(1.0, 24.0, True), (25.5, 44.0, True)]


def test_a_stretch_that_pauses_too_early_alone_is_walked_through():
    windows, _ = feed(WindowFeeder(Script([(1, 9), (10, 45)])), 50.0)
    assert [(w.start_s, w.whole) for w in windows] == [(1.0, False), (30.0, True)]


def test_memory_does_not_grow_with_the_input():
    for script in ([], [(0.5, 590.0)], [(float(i), i + 0.8) for i in range(0, 590, 5)]):
        _, most = feed(WindowFeeder(Script(script)), 600.0)
        assert most <= WHISPER_WINDOW_SAMPLES + 4 * RATE_HZ


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.3, 40), st.floats(0.1, 70)), max_size=8), st.floats(1, 30))
def test_every_speech_sample_is_in_a_window(pieces, step_s):
    spans, now = [], 0.0
    for length, gap in pieces:
        start = now + gap
        now = start + length
        spans.append((start, now))
    windows, _ = feed(WindowFeeder(Script(spans)), now + 1.0, step_s)
    covered = np.zeros(round((now + 1.0) * RATE_HZ) + 1, bool)
    for window in windows:
        assert len(window.waveform) <= WHISPER_WINDOW_SAMPLES
        first = round(window.start_s * RATE_HZ)
        stop = first + (len(window.waveform) if window.whole else round(step_s * RATE_HZ))
        covered[first:stop] = True
    for start, end in spans:
        assert covered[round(start * RATE_HZ) + 1 : round(end * RATE_HZ) - 1].all()


@pytest.mark.parametrize("voice_activity", [None, Script([])])
def test_an_empty_input_gives_no_window(voice_activity):
    feeder = WindowFeeder(voice_activity)
    feeder.finish()
    assert feeder.next() is None
