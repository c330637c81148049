"""From the probability of speech in each chunk of sound to the stretches that count as speech."""

from collections.abc import Sequence
from dataclasses import dataclass

from modalities.rates import RATE_HZ

CHUNK_SAMPLES = 512  # what one probability tells of


@dataclass(frozen=True)
class SpeechSpan:
    """A stretch of speech, seconds from the first sample."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class VoiceActivityConfig:
    """When speech begins and ends.

    Attributes:
        threshold: Probability from which a chunk of 32 ms is speech.
        end_threshold: Probability below which speech may end.
        least_mean: A stretch with a lower mean probability is dropped. On the clips at hand
            speech has 0.81 and more, music that passes for speech at times 0.58 and less.
        least_speech_s: A shorter stretch is dropped.
        least_silence_s: A shorter pause does not end speech.
        pad_s: Taken in before and after.
    """

    threshold: float = 0.5
    end_threshold: float = 0.35
    least_mean: float = 0.7
    least_speech_s: float = 0.25
    least_silence_s: float = 0.5
    pad_s: float = 0.25


class SpanFinder:
    """Finds where speech begins and ends while the probabilities arrive.

    Args:
        config: Thresholds and lengths.

    Attributes:
        found: Spans that have ended and were not yet taken.
        received: Samples that have arrived, of which some may not yet be told of; no span ends
            after them.
    """

    def __init__(self, config: VoiceActivityConfig):
        self.config = config
        self.found: list[SpeechSpan] = []
        self.received = 0
        self.chunks = 0
        self.begin: int | None = None  # chunk in which open speech began
        self.silent_since: int | None = None
        self.total = 0.0  # of the probabilities since begin, up to the last that was speech
        self.pending = 0.0  # of those after it
        self.last_end = 0  # sample at which the last span ended

    @property
    def open_start_s(self) -> float | None:
        """Start of speech that has not ended, or None."""
        return None if self.begin is None else self._start_sample() / RATE_HZ

    @property
    def is_sure(self) -> bool:
        """Whether speech that has not ended would be kept if it ended now."""
        return self.begin is not None and self._is_speech(self.silent_since or self.chunks)

    def hear(self, probabilities: Sequence[float]) -> None:
        """Take the probabilities of the next chunks."""
        for probability in probabilities:
            span = self._hear(probability)
            self.chunks += 1
            if span is not None:
                self.found.append(span)

    def finish(self) -> None:
        """Close what is open at the end of the sound."""
        if self.begin is not None and self.is_sure:
            self.found.append(self._close(self.silent_since or self.chunks))
        self.begin = None

    def take(self) -> list[SpeechSpan]:
        """Return the spans found since the last call."""
        found, self.found = self.found, []
        return found

    def _hear(self, probability: float) -> SpeechSpan | None:
        config = self.config
        if probability >= config.threshold:
            if self.begin is None:
                self.begin, self.total, self.pending = self.chunks, 0.0, 0.0
            self.silent_since = None
        if self.begin is None:
            return None
        self.pending += probability
        if self.silent_since is None:
            self.total, self.pending = self.total + self.pending, 0.0
        if probability < config.end_threshold:
            if self.silent_since is None:
                self.silent_since = self.chunks
            silent = self.chunks + 1 - self.silent_since
            if silent * CHUNK_SAMPLES >= config.least_silence_s * RATE_HZ:
                return self._end(self.silent_since)
        return None

    def _end(self, chunk: int) -> SpeechSpan | None:
        span = self._close(chunk) if self._is_speech(chunk) else None
        self.begin = self.silent_since = None
        return span

    def _is_speech(self, end: int) -> bool:
        assert self.begin is not None
        long = (end - self.begin) * CHUNK_SAMPLES >= self.config.least_speech_s * RATE_HZ
        return long and self.total >= self.config.least_mean * (end - self.begin)

    def _start_sample(self) -> int:
        assert self.begin is not None
        padding = round(self.config.pad_s * RATE_HZ)
        return max(self.last_end, self.begin * CHUNK_SAMPLES - padding)

    def _close(self, chunk: int) -> SpeechSpan:
        start = self._start_sample()
        end = min(self.received, chunk * CHUNK_SAMPLES + round(self.config.pad_s * RATE_HZ))
        self.last_end = end
        return SpeechSpan(start / RATE_HZ, end / RATE_HZ)
