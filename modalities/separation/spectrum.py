"""Spectra that masks are laid on, and waveforms from them."""

import torch
from torch import Tensor


def to_spectrum(waveform: Tensor, fft: int, hop: int) -> Tensor:
    """Return the short-time Fourier transform, centred, under a Hann window.

    Args:
        waveform: [..., samples].
        fft: Samples of a frame and of its window.
        hop: Samples from one frame to the next.

    Returns:
        Complex [..., fft // 2 + 1, samples // hop + 1].
    """
    flat = waveform.reshape(-1, waveform.shape[-1])
    window = torch.hann_window(fft, device=flat.device, dtype=flat.dtype)
    found = torch.stft(flat, fft, hop, window=window, return_complex=True)
    return found.reshape(*waveform.shape[:-1], *found.shape[1:])


def to_waveform(spectrum: Tensor, samples: int, fft: int, hop: int) -> Tensor:
    """Return the waveform of a spectrum.

    Args:
        spectrum: Complex [..., fft // 2 + 1, frames], as `to_spectrum` returns it.
        samples: Length of the waveform that it was made of.
        fft: Samples of a frame and of its window.
        hop: Samples from one frame to the next.

    Returns:
        [..., samples].
    """
    flat = spectrum.reshape(-1, *spectrum.shape[-2:])
    window = torch.hann_window(fft, device=flat.device, dtype=flat.real.dtype)
    found = torch.istft(flat, fft, hop, window=window, length=samples)
    return found.reshape(*spectrum.shape[:-2], samples)


def make_consistent(sources: Tensor, mixture: Tensor) -> Tensor:
    """Give every source the same share of what the sources lack of their mixture.

    Args:
        sources: [..., sources, samples].
        mixture: [..., samples].

    Returns:
        [..., sources, samples], whose sum over the sources is the mixture.

    Source:
        Wisdom et al., Differentiable Consistency Constraints for Improved Deep Speech Enhancement
        (2019), arXiv 1811.08521.
    """
    lacking = mixture - sources.sum(-2)
    return sources + lacking.unsqueeze(-2) / sources.shape[-2]


def separate_ideally(references: Tensor, fft: int, hop: int) -> Tensor:
    """Take a mixture apart by ideal ratio masks, which know its sources: a bound for real masks.

    Args:
        references: The sources as they are in the mixture, [..., sources, samples].
        fft: Samples of a frame and of its window.
        hop: Samples from one frame to the next.

    Returns:
        [..., sources, samples]: the spectrum of the sum, by each source's share of the magnitudes.
    """
    size = to_spectrum(references, fft, hop).abs()
    masks = size / size.sum(-3, keepdim=True).clamp_min(torch.finfo(size.dtype).tiny)
    mixture = to_spectrum(references.sum(-2), fft, hop)
    return to_waveform(masks * mixture.unsqueeze(-3), references.shape[-1], fft, hop)
