"""Change of sampling rate without torch, for programs that would load it for this alone."""

import math

import numpy as np

LOWPASS_WIDTH, ROLLOFF = 6, 0.99  # torchaudio's own


def resample_array(waveform: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Resample by windowed sinc interpolation; equals `resample` up to float32 rounding.

    Args:
        waveform: float32 [samples].
        from_hz: Its rate.
        to_hz: The rate wanted.

    Returns:
        float32 [ceil(samples * to_hz / from_hz)].

    Raises:
        ValueError: A rate is not positive.
    """
    resampler = ArrayResampler(from_hz, to_hz)
    return np.concatenate([resampler.push(waveform), resampler.flush()])


class ArrayResampler:
    """Resample sound that arrives in pieces; how it is cut changes nothing.

    Args:
        from_hz: Rate of what is pushed.
        to_hz: Rate of what comes back.

    Raises:
        ValueError: A rate is not positive.
    """

    def __init__(self, from_hz: int, to_hz: int):
        check_rates(from_hz, to_hz)
        divisor = math.gcd(from_hz, to_hz)
        self.step, self.phases = from_hz // divisor, to_hz // divisor
        self.kernel: np.ndarray | None = None  # [taps, phases]
        if from_hz != to_hz:
            self.kernel, self.width = _build_kernel(self.step, self.phases)
            self.waiting = np.zeros(self.width, np.float32)
        self.received = 0
        self.returned = 0

    def push(self, waveform: np.ndarray) -> np.ndarray:
        """Take [samples] and return the samples that are final, [any number]."""
        self.received += len(waveform)
        if self.kernel is None:
            return waveform
        self.waiting = np.concatenate([self.waiting, waveform], dtype=np.float32)
        return self._convolve(self.kernel)

    def flush(self) -> np.ndarray:
        """Return the samples that the end of the sound makes final."""
        if self.kernel is None:
            return np.zeros(0, np.float32)
        total = math.ceil(self.phases * self.received / self.step)
        rest = total - self.returned
        silence = np.zeros(self.width + self.step, np.float32)
        self.waiting = np.concatenate([self.waiting, silence])
        return self._convolve(self.kernel)[:rest]

    def _convolve(self, kernel: np.ndarray) -> np.ndarray:
        count = (len(self.waiting) - len(kernel)) // self.step + 1
        if count <= 0:
            return np.zeros(0, np.float32)
        pieces = np.lib.stride_tricks.sliding_window_view(self.waiting, len(kernel))
        found = (pieces[:: self.step][:count] @ kernel).reshape(-1)
        self.waiting = self.waiting[count * self.step :]
        self.returned += len(found)
        return found


def check_rates(from_hz: int, to_hz: int) -> None:
    """Check that rates are positive.

    Raises:
        ValueError: One is not.
    """
    if from_hz <= 0 or to_hz <= 0:
        raise ValueError(f"Cannot resample from {from_hz} to {to_hz} Hz; rates are positive.")


def _build_kernel(step: int, phases: int) -> tuple[np.ndarray, int]:
    """Build the filter of each phase, and say how far it reaches back.

    Returns:
        float32 [taps, phases], and samples.

    Source:
        torchaudio.functional.resample; Smith, Digital Audio Resampling Home Page.
    """
    cutoff = min(step, phases) * ROLLOFF
    width = math.ceil(LOWPASS_WIDTH * step / cutoff)
    taps = np.arange(-width, width + step)[:, None] / step
    late = (np.arange(phases) / phases).astype(np.float32)  # as torchaudio rounds it
    times = (taps - late.astype(np.float64)) * cutoff  # [taps, phases]
    times = times.clip(-LOWPASS_WIDTH, LOWPASS_WIDTH)
    window = np.cos(times * np.pi / LOWPASS_WIDTH / 2) ** 2
    return (np.sinc(times) * window * cutoff / step).astype(np.float32), width
