"""Change of sampling rate, at once or while sound arrives."""

import math

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from modalities.audio.numpy_resample import check_rates


def resample(waveform: Tensor, from_hz: int, to_hz: int) -> Tensor:
    """Resample by windowed sinc interpolation.

    Args:
        waveform: [..., samples].
        from_hz: Its rate.
        to_hz: The rate wanted.

    Returns:
        [..., ceil(samples * to_hz / from_hz)].

    Raises:
        ValueError: A rate is not positive.
    """
    from torchaudio.transforms import Resample

    check_rates(from_hz, to_hz)
    # Its filter is computed in float64; that of torchaudio.functional in the waveform's type.
    return Resample(from_hz, to_hz).to(waveform.device)(waveform)


class StreamingResampler:
    """Resample sound that arrives in pieces; equals `resample` up to float32 rounding.

    Args:
        from_hz: Rate of what is pushed.
        to_hz: Rate of what comes back.

    Raises:
        ValueError: A rate is not positive.
    """

    def __init__(self, from_hz: int, to_hz: int):
        from torchaudio.transforms import Resample

        check_rates(from_hz, to_hz)
        divisor = math.gcd(from_hz, to_hz)
        self.step, self.phases = from_hz // divisor, to_hz // divisor
        self.kernel: Tensor | None = None
        if from_hz != to_hz:
            transform = Resample(from_hz, to_hz)
            self.kernel = transform.get_buffer("kernel")  # [phases, 1, taps]
            self.width = transform.width
            self.waiting = torch.zeros(self.width)
        self.received = 0
        self.returned = 0

    def push(self, waveform: Tensor) -> Tensor:
        """Take [samples] and return the samples that are final, [any number]."""
        self.received += len(waveform)
        if self.kernel is None:
            return waveform
        self.waiting = torch.cat([self.waiting, waveform])
        return self._convolve()

    def flush(self) -> Tensor:
        """Return the samples that the end of the sound makes final."""
        if self.kernel is None:
            return torch.zeros(0)
        total = math.ceil(self.phases * self.received / self.step)
        self.waiting = pad(self.waiting, (0, self.width + self.step))
        rest = total - self.returned
        return self._convolve()[:rest]

    def _convolve(self) -> Tensor:
        assert self.kernel is not None
        count = (len(self.waiting) - self.kernel.shape[-1]) // self.step + 1
        if count <= 0:
            return torch.zeros(0)
        kernel = self.kernel.to(self.waiting)
        found = conv1d(self.waiting[None, None], kernel, stride=self.step)[0]  # [phases, count]
        self.waiting = self.waiting[count * self.step :]
        samples = found.T.reshape(-1)
        self.returned += len(samples)
        return samples
