"""The check of waveforms that users hand in as arrays, whole or block by block."""

import numpy as np
from numpy.typing import ArrayLike

from data_prep.media.channels import ChannelMixer
from modalities.rates import RATE_HZ

FULL_SCALE = {"int16": 2**15, "int32": 2**31}
MOST_CHANNELS = 32


def check_waveform(waveform: ArrayLike, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Bring a waveform into the form that everything here expects, or say what is wrong with it.

    Args:
        waveform: [samples], [samples, channels] or [channels, samples], floating point in [-1, 1],
            int16 or int32.
        rate_hz: Samples per second.

    Returns:
        float32 [samples]: several channels are mixed as `ChannelMixer` does it.

    Raises:
        ValueError: Another shape or type; no samples; NaN or infinite samples.
    """
    mono = MonoBlocks(rate_hz).push(waveform)
    if not len(mono):
        raise ValueError(
            f"Waveform has the shape {list(np.asarray(waveform).shape)}; expected one sample at "
            "least."
        )
    return mono


class MonoBlocks:
    """Checks the blocks of a sound that is arriving, and mixes their channels to one.

    A microphone's queue hands over an empty block now and then, and most libraries give [samples,
    channels] even of one channel.

    Args:
        rate_hz: Samples per second.
    """

    def __init__(self, rate_hz: int):
        self.rate_hz = rate_hz
        self.mixer: ChannelMixer | None = None

    def push(self, block: ArrayLike) -> np.ndarray:
        """Take a block as `check_waveform` takes a waveform; return float32 [samples].

        Raises:
            ValueError: Another shape or type; NaN or infinite samples; other channels than before.
        """
        array = np.asarray(block)
        if not array.size:
            return np.zeros(0, np.float32)
        samples = _samples_first(_as_float(array))
        if samples.ndim == 1:
            return samples
        channels = samples.shape[1]
        self.mixer = self.mixer or ChannelMixer(channels, self.rate_hz)
        if self.mixer.channels != channels:
            raise ValueError(
                f"A block has {channels} channels after blocks of {self.mixer.channels}; expected "
                "as many in each."
            )
        return self.mixer.push(samples.T, samples.mean(axis=1, dtype=np.float32))


def _samples_first(array: np.ndarray) -> np.ndarray:
    """Return [samples], or [samples, channels] of several."""
    if array.ndim == 2 and array.shape[1] > MOST_CHANNELS >= array.shape[0]:
        array = array.T
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 1 or (array.ndim == 2 and array.shape[1] <= MOST_CHANNELS):
        return array
    raise ValueError(
        f"Waveform has the shape {list(array.shape)}; expected [samples], or [samples, channels] "
        f"with up to {MOST_CHANNELS} channels. Hand in one sound at a time."
    )


def _as_float(array: np.ndarray) -> np.ndarray:
    if array.dtype.name in FULL_SCALE:
        return array.astype(np.float32) / FULL_SCALE[array.dtype.name]
    if array.dtype.kind != "f":
        raise ValueError(
            f"Waveform is of type {array.dtype.name}; expected float32 in [-1, 1], int16 or int32. "
            f"Convert it first."
        )
    finite = np.isfinite(array)
    if not finite.all():
        raise ValueError(
            f"Waveform has {array.size - int(finite.sum())} NaN or infinite samples, the first at "
            f"{int(finite.argmin())}; expected numbers in [-1, 1]. Remove them first."
        )
    return array.astype(np.float32)
