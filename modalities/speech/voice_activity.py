"""Where speech is, by Silero's detector, while sound arrives."""

import math
from typing import Any, Protocol

import numpy as np

from modalities.speech.speech_spans import (
    CHUNK_SAMPLES,
    SpanFinder,
    SpeechSpan,
    VoiceActivityConfig,
)
from modalities.speech.steady_level import SteadyLevel, SteadyOffset, weights_by_age

CONTEXT_SAMPLES = 64
# The network minds how loud its input is; these bring every recording to one level, at which it
# passes over all noise recordings at hand. Levels are of its own spectra from 125 to 4000 Hz, where
# rumble and hum do not count: 110 is a chunk of full power, and 30 the loudest one of speech that
# peaks near full scale.
LEVEL_BINS = slice(2, 65)
LEVEL, SILENCE = 13.0, 110 * 1e-6
# Over 10 s; what is 3 s back counts 12 dB less, so that a loud talker hides no quiet one after him.
LEVEL_WEIGHTS = weights_by_age(312, full=62, fallen=94, least=0.25)
OFFSET_CHUNKS = 64  # 2 s
# The network remembers. When sound turns out to be this many times louder than all before, what
# it remembers was heard too loud; then it hears the last second again.
LEAP, AGAIN_CHUNKS = 2.0, 32


class SpeechNetwork(Protocol):
    """A network that hears chunks of sound, one after the other, and remembers."""

    def measure(self, chunks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prepare chunks, and say how loud they are.

        Args:
            chunks: float32 [chunks, 576]: 64 samples of the chunk before, then 512 of its own.

        Returns:
            What `listen` takes, [chunks, ...], which doubles where the sound does; and levels of
            the spectra from 125 to 4000 Hz, [chunks].
        """
        ...

    def listen(self, chunks: np.ndarray, memory: Any) -> tuple[np.ndarray, Any]:
        """Give the probability of speech in each chunk.

        Args:
            chunks: What `measure` prepared, each by its own factor; one at least.
            memory: What the last call returned, or None at the start.

        Returns:
            [chunks], and the memory for the next call.
        """
        ...


class SpeechDetector:
    """Finds speech in sound that arrives in pieces; how it is cut changes nothing.

    Nor does how loud it is: the spectra are brought to one level, see `SteadyLevel`, and a
    constant part is taken off.

    Args:
        network: What hears it; detectors may share it.
        config: Thresholds and lengths.
    """

    def __init__(self, network: SpeechNetwork, config: VoiceActivityConfig | None = None):
        self.spans = SpanFinder(config or VoiceActivityConfig())
        self.followers: list[SpanFinder] = []
        self.network = network
        self.memory: Any = None
        self.offset = SteadyOffset(OFFSET_CHUNKS)
        self.level = SteadyLevel(LEVEL, SILENCE, LEVEL_WEIGHTS)
        self.factor = math.inf  # by which what the network remembers was multiplied
        self.recent: list[np.ndarray] = []  # the last chunks, as loud as they were
        self.waiting = np.zeros(CONTEXT_SAMPLES, np.float32)

    @property
    def open_start_s(self) -> float | None:
        """Start of speech that has not ended, or None."""
        return self.spans.open_start_s

    @property
    def is_sure(self) -> bool:
        """Whether speech that has not ended would be kept if it ended now."""
        return self.spans.is_sure

    def follow(self, config: VoiceActivityConfig) -> "SpanFinder":
        """Find spans by other thresholds as well, from the same run of the network.

        Returns:
            What collects them in `found`; it is fed by this detector from now on.
        """
        follower = SpanFinder(config)
        self.followers.append(follower)
        return follower

    def push(self, waveform: np.ndarray) -> list[SpeechSpan]:
        """Take [samples] at 16 kHz and return the spans that have ended."""
        for finder in (self.spans, *self.followers):
            finder.received += len(waveform)
        self.waiting = np.concatenate([self.waiting, waveform], dtype=np.float32)
        self._advance()
        return self.spans.take()

    def flush(self) -> list[SpeechSpan]:
        """Return the spans that the end of the sound closes; the detector is then used up."""
        rest = (CONTEXT_SAMPLES - len(self.waiting)) % CHUNK_SAMPLES
        silence = np.full(rest, self.offset.mean, np.float32)
        self.waiting = np.concatenate([self.waiting, silence])
        self._advance()
        for finder in (self.spans, *self.followers):
            finder.finish()
        return self.spans.take()

    def _advance(self) -> None:
        count = (len(self.waiting) - CONTEXT_SAMPLES) // CHUNK_SAMPLES
        if count <= 0:
            return
        windows = np.lib.stride_tricks.sliding_window_view(
            self.waiting, CONTEXT_SAMPLES + CHUNK_SAMPLES
        )[::CHUNK_SAMPLES][:count]
        self.waiting = self.waiting[count * CHUNK_SAMPLES :]
        probabilities = self._listen(windows)
        for finder in (self.spans, *self.followers):
            finder.hear(probabilities)

    def _listen(self, windows: np.ndarray) -> list[float]:
        """Give the probability of speech in each of [chunks, 576], all brought to one level."""
        offsets = self.offset.push(windows[:, CONTEXT_SAMPLES:].mean(1, dtype=np.float64))
        centred = windows - offsets[:, None]
        if self.spans.chunks == 0:
            centred[0, :CONTEXT_SAMPLES] = 0  # there was nothing, and no leap to a constant part
        chunks, levels = self.network.measure(centred)
        factors = self.level.push(levels)
        known = np.concatenate([*self.recent, chunks])
        before = len(known) - len(chunks)
        self.recent = [known[-AGAIN_CHUNKS:].copy()]
        found: list[float] = []
        start = 0
        for stop in [*self._leaps(factors), len(factors)]:
            if stop > start:
                part = _scale(chunks[start:stop], factors[start:stop])
                probabilities, self.memory = self.network.listen(part, self.memory)
                found += probabilities.tolist()
            if stop < len(factors):
                self._hear_again(known[: before + stop], factors[stop])
            start = stop
        return found

    def _leaps(self, factors: np.ndarray) -> list[int]:
        """Return the chunks before which what was heard has to be heard again."""
        leaps = []
        for number, factor in enumerate(factors.tolist()):
            if factor * LEAP < self.factor:
                leaps.append(number)
                self.factor = factor
            self.factor = max(self.factor, factor)
        return leaps

    def _hear_again(self, chunks: np.ndarray, factor: np.float32) -> None:
        self.memory = None
        if len(chunks):
            _, self.memory = self.network.listen(chunks[-AGAIN_CHUNKS:] * factor, None)


def _scale(chunks: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Multiply each of [chunks, ...] by its own factor."""
    return chunks * factors.reshape(-1, *[1] * (chunks.ndim - 1))
