"""CLAP's log-mel spectrogram of clips up to ten seconds."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers.audio_utils import mel_filter_bank

from modalities.audio.audio_clips import repeat_whole

CLAP_RATE_HZ = 48_000
CLIP_SAMPLES = 10 * CLAP_RATE_HZ
FFT_SAMPLES = 1024
HOP_SAMPLES = 480
FRAMES = 1 + CLIP_SAMPLES // HOP_SAMPLES
LOW_HZ, HIGH_HZ = 50.0, 14_000.0  # of the trained models


class ClapLogMel(nn.Module):
    """Log-mel spectrogram as the unfused CLAP was trained on it.

    Args:
        mel_bins: 64 for the trained models.
        low_hz: Where the lowest band begins.
        high_hz: Where the highest one ends.

    Source:
        transformers' ClapFeatureExtractor with "rand_trunc" and "repeatpad".
    """

    rate_hz = CLAP_RATE_HZ
    filters: Tensor
    window: Tensor

    def __init__(self, mel_bins: int = 64, low_hz: float = LOW_HZ, high_hz: float = HIGH_HZ):
        super().__init__()
        self.low_hz, self.high_hz = low_hz, high_hz
        filters = mel_filter_bank(
            num_frequency_bins=FFT_SAMPLES // 2 + 1,
            num_mel_filters=mel_bins,
            min_frequency=low_hz,
            max_frequency=high_hz,
            sampling_rate=CLAP_RATE_HZ,
            norm="slaney",
            mel_scale="slaney",
        )
        # In float64, as there: a quiet band beside a loud one would be rounding noise.
        window = torch.hann_window(FFT_SAMPLES, dtype=torch.float64)
        self.register_buffer("filters", torch.from_numpy(filters).double(), persistent=False)
        self.register_buffer("window", window, persistent=False)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Repeat clips as often as they go whole into ten seconds, and compute the spectrograms.

        Args:
            waveform: [batch, samples] at 48 kHz.
            lengths: [batch], samples of each clip, 1 to 480000.

        Returns:
            [batch, 1001, mel_bins] in dB, 100 frames per second, and a mask [batch, 1001], bool,
            True up to the end of the last repetition.
        """
        counts = lengths.tolist()
        rows = [
            self.decibels(repeat(row[:n])[None])[0] for row, n in zip(waveform, counts, strict=True)
        ]
        filled = CLIP_SAMPLES // lengths * lengths
        starts = HOP_SAMPLES * torch.arange(FRAMES, device=lengths.device)
        return torch.stack(rows), starts < filled[:, None]

    def decibels(self, clips: Tensor) -> Tensor:
        """Compute the spectrograms of whole clips; gradients reach the clips.

        Args:
            clips: [clips, 480000], at 48 kHz.

        Returns:
            [clips, 1001, mel_bins] in dB, 100 frames per second.
        """
        half = FFT_SAMPLES // 2
        padded = pad(clips.double(), (half, half), mode="reflect")
        pieces = padded.unfold(-1, FFT_SAMPLES, HOP_SAMPLES)  # [clips, 1001, 1024]
        spectrum = torch.fft.rfft(pieces * self.window)
        power = spectrum.real.square() + spectrum.imag.square()
        return (10 * (power @ self.filters).clamp_(min=1e-10).log10()).float()


def repeat(clip: Tensor) -> Tensor:
    """Repeat [samples] at 48 kHz as often as it goes whole into ten seconds, then silence."""
    return repeat_whole(clip, CLIP_SAMPLES)
