"""Change of sampling rate in torch, with gradients; `numpy_resample` has sound that arrives."""

from torch import Tensor

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
