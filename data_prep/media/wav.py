"""Waveforms as 16-bit .wav, which is what almost all recordings have."""

import io
import wave

import numpy as np

from modalities.rates import RATE_HZ

FULL_SCALE = 2**15


def encode_wav(waveform: np.ndarray) -> bytes:
    """Return a .wav file; what is louder than full scale is held there and does not wrap around.

    Args:
        waveform: [samples], 16 kHz, in [-1, 1].
    """
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        scaled = np.round(waveform.astype(np.float64) * FULL_SCALE)
        file.writeframes(scaled.clip(-FULL_SCALE, FULL_SCALE - 1).astype("<i2").tobytes())
    return data.getvalue()


def decode_wav(data: bytes) -> np.ndarray:
    """Read what `encode_wav` returned, float32 [samples]."""
    with wave.open(io.BytesIO(data)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return samples.astype(np.float32) / FULL_SCALE
