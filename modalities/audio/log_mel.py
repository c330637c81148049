"""Whisper's log-mel spectrogram, at once or while sound arrives."""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from modalities.audio.mel_filters import (
    CHUNK_FRAMES,
    FFT_SAMPLES,
    LEAST_POWER,
    RANGE,
    build_mel_filters,
)
from modalities.rates import MEL_HOP_SAMPLES, RATE_HZ, WHISPER_WINDOW_S


class LogMel(nn.Module):
    """Log-mel spectrogram as Whisper was trained on it.

    Args:
        mel_bins: 80, or 128 for large-v3 and its kin.

    Raises:
        ValueError: Another number of bins.

    Source:
        transformers' WhisperFeatureExtractor; openai/whisper, audio.py.
    """

    rate_hz = RATE_HZ
    frame_rate_hz = 100.0
    filters: Tensor
    window: Tensor

    def __init__(self, mel_bins: int = 80):
        super().__init__()
        filters = build_mel_filters(mel_bins)
        self.mel_bins = mel_bins
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)
        self.register_buffer("window", torch.hann_window(FFT_SAMPLES), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute the spectrogram; each row is clamped on its own.

        Args:
            waveform: [batch, samples] at 16 kHz, more than 200 samples.

        Returns:
            [batch, mel_bins, samples // 160], 100 frames per second.

        Raises:
            ValueError: Too short, or not two axes.
        """
        half = FFT_SAMPLES // 2
        if waveform.ndim != 2 or waveform.shape[1] <= half:
            raise ValueError(
                f"Waveform has shape {tuple(waveform.shape)}; expected [batch, samples] with more "
                f"than {half} samples. Pad it, with LogMel.pad for instance."
            )
        padded = pad(waveform, (half, half), mode="reflect")
        frames = waveform.shape[1] // MEL_HOP_SAMPLES
        pieces = padded.unfold(1, FFT_SAMPLES, MEL_HOP_SAMPLES)[:, :frames]  # [batch, frames, 400]
        mel = pieces.new_empty(len(waveform), frames, self.mel_bins)
        for start in range(0, frames, CHUNK_FRAMES):
            chunk = slice(start, start + CHUNK_FRAMES)
            spectra = torch.fft.rfft(pieces[:, chunk] * self.window)
            power = spectra.real.square().addcmul_(spectra.imag, spectra.imag)
            mel[:, chunk] = (power @ self.filters).clamp_(min=LEAST_POWER).log10()
        loudest = mel.detach().amax(dim=(1, 2), keepdim=True)
        return mel.clamp_(min=loudest - RANGE).add_(4.0).div_(4.0).transpose(1, 2)

    def pad(self, waveform: Tensor, window_s: float = WHISPER_WINDOW_S) -> Tensor:
        """Append silence up to a window's length, or cut there.

        Args:
            waveform: [batch, samples].
            window_s: Seconds.

        Returns:
            [batch, window_s * 16000].
        """
        length = round(window_s * RATE_HZ)
        return pad(waveform[:, :length], (0, max(0, length - waveform.shape[1])))


class LogMelStream:
    """Log-mel of sound that arrives in pieces, in windows that follow each other without a gap.

    Each window equals `LogMel` on its own stretch of sound.

    Args:
        log_mel: Computes the windows, on its own device.
        window_s: Length of a window in seconds.
    """

    def __init__(self, log_mel: LogMel, window_s: float = WHISPER_WINDOW_S):
        self.log_mel = log_mel
        self.window_s = window_s
        self.length = round(window_s * RATE_HZ)
        self.waiting: list[Tensor] = []
        self.held = 0

    def push(self, waveform: Tensor) -> list[Tensor]:
        """Take [samples] and return the windows they finish, each [mel_bins, frames]."""
        self.waiting.append(waveform)
        self.held += len(waveform)
        if self.held < self.length:
            return []
        sound = torch.cat(self.waiting)
        whole = len(sound) // self.length * self.length
        self.waiting, self.held = [sound[whole:]], len(sound) - whole
        windows = sound[:whole].view(-1, self.length).to(self.log_mel.window.device)
        return list(self.log_mel(windows))

    def flush(self) -> list[Tensor]:
        """Return the last window, padded with silence, or nothing where no sound is left."""
        if not self.held:
            return []
        sound = torch.cat(self.waiting)[None].to(self.log_mel.window.device)
        self.waiting, self.held = [], 0
        return list(self.log_mel(self.log_mel.pad(sound, self.window_s)))
