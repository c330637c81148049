"""Waveforms as 16-bit .wav, which is what almost all recordings have."""

import io
import wave
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from modalities.rates import RATE_HZ
from modalities.whole_file import cannot_write

FULL_SCALE = 2**15
LARGEST = 2**32 - 2**10  # bytes of sound that a header can tell
BLOCK = 1 << 16  # samples that are read at a time


class WavFile:
    """A .wav file of one channel that is written while its sound comes.

    What is louder than full scale is held there and does not wrap around.

    Args:
        path: To write; what is there is replaced.
        rate_hz: Samples per second.

    Attributes:
        samples: How many were written.
        held: How many of them were louder than full scale.

    Raises:
        OSError: It cannot be written.
    """

    def __init__(self, path: Path, rate_hz: int):
        self.path, self.samples, self.held = path, 0, 0
        try:
            self._file = wave.open(str(path), "wb")
        except OSError as error:
            raise cannot_write(path, error) from error
        self._file.setparams((1, 2, rate_hz, 0, "NONE", ""))

    def write(self, waveform: np.ndarray) -> None:
        """Add [samples], in [-1, 1].

        Raises:
            ValueError: The file would be longer than a .wav file can say.
            OSError: It cannot be written.
        """
        self.samples += len(waveform)
        if 2 * self.samples > LARGEST:
            raise ValueError(
                f"{self.path.name} would be above 4 GiB, which a .wav file cannot hold; expected a "
                "shorter sound. Cut it into parts."
            )
        self.held += int((np.abs(waveform) > 1).sum())
        try:
            self._file.writeframesraw(_quantise(waveform))
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def close(self) -> None:
        """Write its length into its header.

        Raises:
            OSError: It cannot be written.
        """
        try:
            self._file.close()
        except OSError as error:
            raise cannot_write(self.path, error) from error


def encode_wav(waveform: np.ndarray) -> bytes:
    """Return a .wav file; what is louder than full scale is held there and does not wrap around.

    Args:
        waveform: [samples], 16 kHz, in [-1, 1].
    """
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(_quantise(waveform))
    return data.getvalue()


def decode_wav(data: bytes) -> np.ndarray:
    """Read what `encode_wav` returned, float32 [samples]."""
    with wave.open(io.BytesIO(data)) as file:
        return _read(file, file.getnframes())


def read_wavs(paths: Sequence[Path]) -> Iterator[np.ndarray]:
    """Read files that `WavFile` wrote, all equally long, side by side.

    Args:
        paths: One or more.

    Yields:
        float32 [files, samples], block by block.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(wave.open(str(path), "rb")) for path in paths]
        for _ in range(0, files[0].getnframes(), BLOCK):
            yield np.stack([_read(file, BLOCK) for file in files])


def _quantise(waveform: np.ndarray) -> bytes:
    scaled = np.round(waveform.astype(np.float64) * FULL_SCALE)
    return scaled.clip(-FULL_SCALE, FULL_SCALE - 1).astype("<i2").tobytes()


def _read(file: wave.Wave_read, count: int) -> np.ndarray:
    samples = np.frombuffer(file.readframes(count), "<i2")
    return samples.astype(np.float32) / FULL_SCALE
