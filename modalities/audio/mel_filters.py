"""The filters of Whisper's log-mel, and their spectra's size."""

import numpy as np

from modalities.rates import RATE_HZ

FFT_SAMPLES = 400
RANGE = 8.0  # Whisper keeps eight decades below a row's loudest value
LEAST_POWER = 1e-10
CHUNK_FRAMES = 500  # spectra of so many frames stay in the cache of a processor
# Slaney's scale: even up to 1000 Hz, by powers from there on.
HZ_PER_MEL, BORDER_HZ, BORDER_MEL = 200 / 3, 1000.0, 15.0
LOG_STEP = np.log(6.4) / 27


def build_mel_filters(mel_bins: int) -> np.ndarray:
    """Build triangles on Slaney's mel scale from 0 to 8000 Hz, each of the same area.

    Args:
        mel_bins: 80, or 128 for large-v3 and its kin.

    Returns:
        float64 [201, mel_bins].

    Raises:
        ValueError: Another number of bins.

    Source:
        Slaney, Auditory Toolbox, technical report 1998-010; openai/whisper, mel_filters.npz.
    """
    if mel_bins not in (80, 128):
        raise ValueError(f"Whisper has no model with {mel_bins} mel bins; expected 80 or 128.")
    highest_mel = BORDER_MEL + np.log(RATE_HZ / 2 / BORDER_HZ) / LOG_STEP
    mels = np.linspace(0.0, highest_mel, mel_bins + 2)
    edges_hz = HZ_PER_MEL * mels
    above = mels >= BORDER_MEL
    edges_hz[above] = BORDER_HZ * np.exp(LOG_STEP * (mels[above] - BORDER_MEL))
    bins_hz = np.linspace(0, RATE_HZ // 2, FFT_SAMPLES // 2 + 1)
    distances = edges_hz - bins_hz[:, None]  # [201, mel_bins + 2]
    widths = np.diff(edges_hz)
    falling = -distances[:, :-2] / widths[:-1]
    rising = distances[:, 2:] / widths[1:]
    areas = (edges_hz[2:] - edges_hz[:-2]) / 2
    return np.maximum(0.0, np.minimum(falling, rising)) / areas
