"""Which stretches of sound go to Whisper, 30 seconds at a time, while more is still arriving."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from modalities.rates import RATE_HZ, WHISPER_WINDOW_SAMPLES


class Span(Protocol):
    """A stretch of speech, seconds on the clock of the input."""

    @property
    def start_s(self) -> float:
        """First second."""
        ...

    @property
    def end_s(self) -> float:
        """Last second."""
        ...


class VoiceActivity(Protocol):
    """A streaming speech detector."""

    @property
    def open_start_s(self) -> float | None:
        """Start of the speech that has not ended yet, or None."""
        ...

    @property
    def is_sure(self) -> bool:
        """Whether that speech would be kept if it ended now."""
        ...

    def push(self, waveform: np.ndarray) -> list:
        """Take [samples] at 16 kHz and return the spans that have ended."""
        ...

    def flush(self) -> list:
        """Return the spans that the end of the input closes."""
        ...


@dataclass(frozen=True)
class Window:
    """Sound for one pass of Whisper.

    Attributes:
        start_s: Its place on the clock of the input.
        waveform: [samples] at 16 kHz, at most 30 s.
        whole: No speech of its stretch follows, so it has to be decoded to its end.
    """

    start_s: float
    waveform: np.ndarray
    whole: bool


class WindowFeeder:
    """Buffers sound and hands out windows; at most a window and a block are held.

    Speech spans closer than `max_gap_s` form one stretch. A stretch that is longer than a window is
    cut at the longest pause in the second half of the window; where there is none, and without a
    detector, for which the whole input is one stretch, it is walked through by Whisper's own
    timestamps.

    Args:
        voice_activity: A fresh detector, or None to decode everything.
        max_gap_s: The longest pause inside a stretch.
    """

    def __init__(self, voice_activity: VoiceActivity | None, max_gap_s: float = 2.0):
        self.voice_activity = voice_activity
        self.max_gap = round(max_gap_s * RATE_HZ)
        self.buffer = np.zeros(0, np.float32)
        self.offset = 0  # sample number of buffer[0]
        self.position = 0  # where the next window begins
        self.spans: list[tuple[int, int]] = []  # ended speech not yet decoded
        self.finished = False

    @property
    def heard(self) -> int:
        """Samples received so far."""
        return self.offset + len(self.buffer)

    def push(self, block: np.ndarray) -> None:
        """Take the next [samples] at 16 kHz."""
        self.buffer = np.concatenate([self.buffer, block])
        if self.voice_activity is not None:
            self._add(self.voice_activity.push(block))
        self._forget()

    def finish(self) -> None:
        """Say that no more sound will come."""
        if self.voice_activity is not None:
            self._add(self.voice_activity.flush())
        elif self.heard:
            self.spans = [(self.position, self.heard)]
        self.finished = True

    def next(self) -> Window | None:
        """Return a window if one can be decoded now; `advance` must follow before the next."""
        stretch = self._stretch()
        if stretch is None:
            return None
        start, end, closed = stretch
        self.position = start
        if closed and end - start <= WHISPER_WINDOW_SAMPLES:
            return self._window(start, end, whole=True)
        if self.heard - start > WHISPER_WINDOW_SAMPLES:
            pause = self._pause_after(start)
            if pause is not None:
                return self._window(start, pause, whole=True)
            return self._window(start, start + WHISPER_WINDOW_SAMPLES, whole=False)
        return None

    def _pause_after(self, start: int) -> int | None:
        """Return where speech ends before the longest pause in the second half of a window."""
        earliest, latest = start + WHISPER_WINDOW_SAMPLES // 2, start + WHISPER_WINDOW_SAMPLES
        spans = self._spans_up_to_now(self._open_start()) if self.voice_activity else []
        pauses = [(b - a, a) for (_, a), (b, _) in pairwise(spans) if earliest <= a <= latest]
        return max(pauses)[1] if pauses else None

    def advance(self, window: Window, next_s: float) -> None:
        """Go on after a window.

        Args:
            window: The window that was decoded.
            next_s: Where decoding goes on, seconds from the window's start.
        """
        start = round(window.start_s * RATE_HZ)
        step = len(window.waveform) if window.whole else max(1, round(next_s * RATE_HZ))
        self.position = start + step
        self.spans = [(max(a, self.position), b) for a, b in self.spans if b > self.position]
        self._forget()

    def spans_in(self, window: Window) -> list[tuple[int, int]]:
        """Return the speech of a window that has ended, samples from its start, before `advance`.

        Without a detector all of it counts as speech.
        """
        start = round(window.start_s * RATE_HZ)
        if self.voice_activity is None:
            return [(0, len(window.waveform))]
        ends = start + len(window.waveform)
        return [(max(0, a - start), b - start) for a, b in self.spans if b <= ends]

    def speech_in(self, window: Window) -> list[tuple[float, float]]:
        """Return the speech of a window, seconds from its start, before `advance`.

        What has not ended counts up to the window's end.
        """
        start, length = round(window.start_s * RATE_HZ), len(window.waveform)
        open_start = None if self.voice_activity is None else self._open_start()
        spans = self._spans_up_to_now(open_start)
        inside = [(max(0, a - start), min(length, b - start)) for a, b in spans]
        return [(a / RATE_HZ, b / RATE_HZ) for a, b in inside if b > a]

    def _add(self, spans: list) -> None:
        for span in spans:
            start, end = round(span.start_s * RATE_HZ), round(span.end_s * RATE_HZ)
            start, end = max(start, self.position), min(end, self.heard)
            if end > start:
                self.spans.append((start, end))

    def _stretch(self) -> tuple[int, int, bool] | None:
        """Return start, end and whether it is over, of the first stretch not yet decoded."""
        if self.voice_activity is None:
            if self.finished:
                return (*self.spans[0], True) if self.spans else None
            return (self.position, self.heard, False)
        sure = not self.finished and self.voice_activity.is_sure
        open_start = self._open_start() if sure else None
        spans = self._spans_up_to_now(open_start)
        if not spans:
            return None
        start, end = spans[0]
        for a, b in spans[1:]:
            if a - end > self.max_gap:
                return start, end, True
            end = b
        closed = self.finished or (open_start is None and self.heard - end > self.max_gap)
        return start, end, closed

    def _spans_up_to_now(self, open_start: int | None) -> list[tuple[int, int]]:
        """Return the speech that has ended, and what is open from a sample on."""
        return [*self.spans] if open_start is None else [*self.spans, (open_start, self.heard)]

    def _open_start(self) -> int | None:
        assert self.voice_activity is not None
        start_s = self.voice_activity.open_start_s
        return None if start_s is None else max(round(start_s * RATE_HZ), self.position)

    def _window(self, start: int, end: int, *, whole: bool) -> Window:
        waveform = self.buffer[start - self.offset : end - self.offset]
        return Window(start / RATE_HZ, waveform, whole)

    def _forget(self) -> None:
        """Drop sound that no window will need; the detector may yet open a span a second back."""
        keep = self.position
        if self.voice_activity is not None and not self.spans:
            open_start = self._open_start()
            if open_start is None:
                keep = max(keep, self.heard - RATE_HZ)
            elif not self.voice_activity.is_sure:
                keep = max(keep, open_start, self.heard - WHISPER_WINDOW_SAMPLES)
        drop = max(0, keep - self.offset)
        if drop:
            self.buffer = self.buffer[drop:].copy()
            self.offset += drop
            self.position = max(self.position, self.offset)
