"""Kaldi's log filterbank, at once or while sound arrives."""

from itertools import product

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from modalities.rates import MEL_HOP_SAMPLES, RATE_HZ

FRAME_SAMPLES = 400
FFT_SAMPLES = 512
LOW_HZ = 20.0
PRE_EMPHASIS = 0.97
FLOOR = float(torch.finfo(torch.float32).eps)  # what a silent band has before the logarithm
BLOCK_BINS = 32  # so many neighbouring bands hear a small part of the spectrum
CHUNK_FRAMES = 2000  # spectra of so many frames stay in the cache of a processor
MOST_FRAMES = 20_000  # at once elsewhere


class Filterbank(nn.Module):
    """Log filterbank energies of 25 ms Hann windows, as torchaudio's kaldi.fbank computes them.

    Args:
        mel_bins: From 4 to 256.

    Raises:
        ValueError: Another number of bins.

    Source:
        torchaudio.compliance.kaldi.fbank(window_type="hanning"), else with its defaults.
    """

    rate_hz = RATE_HZ
    frame_rate_hz = 100.0
    filters: Tensor
    window: Tensor

    def __init__(self, mel_bins: int = 128):
        super().__init__()
        if not 4 <= mel_bins <= 256:
            raise ValueError(f"A filterbank has {mel_bins} mel bins; expected 4 to 256.")
        self.mel_bins = mel_bins
        filters = _build_filters(mel_bins)  # [2 * 257, mel_bins]
        self.blocks = _find_blocks(filters)
        # Pre-emphasis takes a frame's first sample away, where Hann's window is 0 anyway.
        window = torch.hann_window(FRAME_SAMPLES, periodic=False)[1:]
        window = pad(window, (0, FFT_SAMPLES - len(window)))
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("window", window, persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute the energies; a frame that is not whole is dropped.

        Args:
            waveform: [batch, samples] at 16 kHz, at least 400 samples.

        Returns:
            [batch, 1 + (samples - 400) // 160, mel_bins], natural logarithms.

        Raises:
            ValueError: Too short, or not two axes.
        """
        if waveform.ndim != 2 or waveform.shape[1] < FRAME_SAMPLES:
            raise ValueError(
                f"Waveform has shape {tuple(waveform.shape)}; expected [batch, samples] with at "
                f"least {FRAME_SAMPLES} samples. Pad it with zeros."
            )
        batch, frames = len(waveform), count_frames(waveform.shape[1])
        mel = waveform.new_empty(batch, frames, self.mel_bins)
        step = CHUNK_FRAMES if waveform.device.type == "cpu" else MOST_FRAMES
        rows = max(1, step // frames)
        for row, start in product(range(0, batch, rows), range(0, frames, step)):
            samples = slice(
                MEL_HOP_SAMPLES * start, MEL_HOP_SAMPLES * (start + step - 1) + FRAME_SAMPLES
            )
            found = self._log_mel(waveform[row : row + rows, samples])
            mel[row : row + rows, start : start + step] = found
        return mel

    def _log_mel(self, waveform: Tensor) -> Tensor:
        rows, frames = len(waveform), count_frames(waveform.shape[1])
        means = waveform.unfold(1, FRAME_SAMPLES, MEL_HOP_SAMPLES).mean(2, keepdim=True)
        # In this order a large constant, which is in all samples, costs quiet bands no digits.
        before = waveform[:, :-1]
        emphasised = (waveform[:, 1:] - before).add_(before, alpha=1 - PRE_EMPHASIS)
        padded = pad(emphasised, (0, FFT_SAMPLES - FRAME_SAMPLES + 1))
        pieces = padded.unfold(1, FFT_SAMPLES, MEL_HOP_SAMPLES)  # [rows, frames, 512]
        # What pre-emphasis leaves of a frame's mean goes here, for all samples at once.
        framed = torch.sub(pieces, means, alpha=1 - PRE_EMPHASIS).mul_(self.window)
        spectra = torch.fft.rfft(framed)  # [rows, frames, 257]
        squares = torch.view_as_real(spectra).view(-1, 2 * spectra.shape[2]).square_()
        bands = [squares[:, bins] @ self.filters[bins, mel] for bins, mel in self.blocks]
        energies = torch.cat(bands, dim=1).clamp_(min=FLOOR).log_()
        return energies.view(rows, frames, self.mel_bins)


class FilterbankStream:
    """Log filterbank of sound that arrives in pieces, frame by frame.

    Args:
        filterbank: Computes the frames, on its own device.
    """

    def __init__(self, filterbank: Filterbank):
        self.filterbank = filterbank
        self.waiting: list[Tensor] = []
        self.held = 0

    def push(self, waveform: Tensor) -> Tensor:
        """Take [samples] and return the frames they finish, [frames, mel_bins]."""
        self.waiting.append(waveform)
        self.held += len(waveform)
        if self.held < FRAME_SAMPLES:
            return self._nothing()
        sound = torch.cat(self.waiting)
        used = MEL_HOP_SAMPLES * count_frames(len(sound))
        self.waiting, self.held = [sound[used:]], len(sound) - used
        return self.filterbank(sound[None].to(self.filterbank.window.device))[0]

    def flush(self) -> Tensor:
        """Forget the last samples, which are no whole frame, and return [0, mel_bins]."""
        self.waiting, self.held = [], 0
        return self._nothing()

    def _nothing(self) -> Tensor:
        return self.filterbank.window.new_empty(0, self.filterbank.mel_bins)


def count_frames(samples: int) -> int:
    """Return how many whole frames there are in so many samples."""
    return max(0, 1 + (samples - FRAME_SAMPLES) // MEL_HOP_SAMPLES)


def _build_filters(mel_bins: int) -> Tensor:
    from torchaudio.compliance.kaldi import get_mel_banks

    # The five numbers are low, high (0: half the rate), and the three of a warp that is off.
    filters, _ = get_mel_banks(mel_bins, FFT_SAMPLES, RATE_HZ, LOW_HZ, 0.0, 100.0, -500.0, 1.0)
    # Real and imaginary parts follow each other in a spectrum; each has its row.
    return pad(filters, (0, 1)).T.repeat_interleave(2, dim=0).contiguous()


def _find_blocks(filters: Tensor) -> list[tuple[slice, slice]]:
    """Find which rows of the filters each block of bands needs."""
    blocks = []
    for start in range(0, filters.shape[1], BLOCK_BINS):
        mel = slice(start, min(start + BLOCK_BINS, filters.shape[1]))
        rows = filters[:, mel].any(dim=1).nonzero()
        blocks.append((slice(int(rows.min()), int(rows.max()) + 1), mel))
    return blocks
