"""Resampling of sound to 16 kHz and its placement on the media clock."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from data_prep.media.clock import is_plausible
from modalities.rates import RATE_HZ

# Timestamps are rounded, to milliseconds in Matroska: below this the sound is one piece.
JITTER_S = 0.02


@dataclass(frozen=True)
class SoundBlock:
    """A decoded stretch of sound.

    Attributes:
        start_s: Time of its first sample on the media clock; None: it follows the one before.
        rate_hz: Samples per second.
        waveform: float32 [samples].
    """

    start_s: float | None
    rate_hz: int
    waveform: np.ndarray


class AudioPlacer:
    """Turns timed blocks of sound into one waveform at 16 kHz that starts at time 0.

    Blocks that follow each other are resampled as one. Where the timestamps leave a gap, zeros
    come in; where they overlap, or lie before 0, the later block is trimmed. Timestamps that
    damage made absurd are ignored: see `is_plausible`.

    Args:
        limit_s: Time from which on a leap of the timestamps counts as damage.
    """

    def __init__(self, limit_s: float):
        self._limit_s = limit_s
        self._resampler: _Resampler | None = None
        self._end_s = 0.0  # where the block before ended, by its own timestamp
        self._reached_s = -math.inf  # the furthest such end
        self._cursor = 0  # where the next resampled sample belongs
        self._written = 0  # samples handed out

    def push(self, block: SoundBlock) -> Iterator[np.ndarray]:
        """Take the next block.

        Args:
            block: The block that follows in the file.

        Yields:
            float32 [samples] pieces of the 16 kHz waveform, in order, as far as they are final.
        """
        start_s = self._believed_start_s(block)
        continues = (
            self._resampler is not None
            and self._resampler.rate_hz == block.rate_hz
            and abs(start_s - self._end_s) < JITTER_S
        )
        if not continues:
            yield from self.flush()
            self._resampler = _Resampler(block.rate_hz)
            self._cursor = round(start_s * RATE_HZ)
            self._end_s = start_s
        self._end_s += len(block.waveform) / block.rate_hz
        self._reached_s = max(self._reached_s, self._end_s)
        assert self._resampler is not None
        yield from self._write(self._resampler.push(block.waveform))

    def flush(self) -> Iterator[np.ndarray]:
        """Hand out what the resampler still holds.

        Yields:
            float32 [samples] pieces.
        """
        if self._resampler is not None:
            rest = self._resampler.flush()
            self._resampler = None
            yield from self._write(rest)

    def _believed_start_s(self, block: SoundBlock) -> float:
        first = self._resampler is None
        if block.start_s is None:
            return self._end_s
        if first:
            return block.start_s if abs(block.start_s) <= self._limit_s else 0.0
        believed = is_plausible(block.start_s, self._reached_s, self._limit_s)
        return block.start_s if believed else self._reached_s

    def _write(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        start, self._cursor = self._cursor, self._cursor + len(samples)
        samples = samples[max(0, self._written - start) :]
        if len(samples) == 0:
            return
        while self._written < start:
            silence = min(RATE_HZ, start - self._written)
            self._written += silence
            yield np.zeros(silence, np.float32)
        self._written = self._cursor
        yield samples


class _Resampler:
    """libswresample from one rate to 16 kHz: no delay, the length kept to a sample."""

    def __init__(self, rate_hz: int):
        self.rate_hz = rate_hz
        self._resampler = AudioResampler(format="fltp", layout="mono", rate=RATE_HZ)

    def push(self, waveform: np.ndarray) -> np.ndarray:
        if self.rate_hz == RATE_HZ:
            return waveform
        frame = AudioFrame.from_ndarray(waveform[None], format="fltp", layout="mono")
        frame.sample_rate = self.rate_hz
        return self._join(self._resampler.resample(frame))

    def flush(self) -> np.ndarray:
        if self.rate_hz == RATE_HZ:
            return np.zeros(0, np.float32)
        return self._join(self._resampler.resample(None))

    @staticmethod
    def _join(frames: list[AudioFrame]) -> np.ndarray:
        pieces = [np.asarray(frame.to_ndarray()[0], np.float32) for frame in frames]
        return np.concatenate([*pieces, np.zeros(0, np.float32)])
