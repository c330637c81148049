"""Whisper's log-mel spectrogram without torch, for programs that would load it for this alone."""

import numpy as np

from modalities.audio.hann import build_hann_window
from modalities.audio.mel_filters import (
    CHUNK_FRAMES,
    FFT_SAMPLES,
    LEAST_POWER,
    RANGE,
    build_mel_filters,
)
from modalities.rates import MEL_HOP_SAMPLES, WHISPER_WINDOW_SAMPLES


class NumpyLogMel:
    """Log-mel spectrogram of one window; equals `LogMel` to 2e-5, which is the rounding of both.

    Args:
        mel_bins: 80, or 128 for large-v3 and its kin.

    Raises:
        ValueError: Another number of bins.
    """

    def __init__(self, mel_bins: int = 80):
        self.filters = build_mel_filters(mel_bins).astype(np.float32)
        self.window = build_hann_window(FFT_SAMPLES)

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Compute the spectrogram of sound that is padded with silence, or cut, to 30 s.

        Args:
            waveform: float32 [samples] at 16 kHz.

        Returns:
            float32 [mel_bins, 3000], 100 frames per second.
        """
        half = FFT_SAMPLES // 2
        sound = np.zeros(WHISPER_WINDOW_SAMPLES, np.float32)
        sound[: len(waveform)] = waveform[:WHISPER_WINDOW_SAMPLES]
        padded = np.pad(sound, half, mode="reflect")
        pieces = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::MEL_HOP_SAMPLES]
        frames = WHISPER_WINDOW_SAMPLES // MEL_HOP_SAMPLES
        mel = np.empty((frames, self.filters.shape[1]), np.float32)
        for start in range(0, frames, CHUNK_FRAMES):
            chunk = slice(start, min(start + CHUNK_FRAMES, frames))
            spectra = np.fft.rfft(pieces[chunk] * self.window)
            power = spectra.real**2 + spectra.imag**2
            mel[chunk] = np.log10(np.maximum(power @ self.filters, LEAST_POWER))
        return (np.maximum(mel, mel.max() - RANGE) + 4).T / 4
