"""What sounds made from formulas have in common: tones, strokes and bands of noise."""

from collections.abc import Sequence

import numpy as np

from modalities.rates import RATE_HZ

Strengths = Sequence[float] | np.ndarray  # amplitudes of partials


def tone(pitch_hz: np.ndarray, strengths: Strengths) -> np.ndarray:
    """Return a tone whose pitch moves, float64 [samples].

    Args:
        pitch_hz: Pitch of the fundamental at each sample, [samples].
        strengths: Amplitude of each harmonic, the fundamental first; those that would reach half
            the rate are silent there.
    """
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    sound = np.zeros(len(pitch_hz))
    for number, strength in enumerate(strengths, 1):
        heard = number * pitch_hz < 0.48 * RATE_HZ
        sound += strength * heard * np.sin(number * phase)
    return sound


def chirp(from_hz: float, to_hz: float, length_s: float) -> np.ndarray:
    """Return a short tone that glides from one pitch to another, soft at both ends."""
    samples = int(length_s * RATE_HZ)
    return tone(np.geomspace(from_hz, to_hz, samples), (1, 0.1)) * np.hanning(samples)


def ring(
    pitches_hz: np.ndarray, strengths: Strengths, decays_s: np.ndarray, length_s: float
) -> np.ndarray:
    """Return what a struck thing sounds like: partials that die away.

    Args:
        pitches_hz: Pitch of each partial.
        strengths: Amplitude of each partial at first.
        decays_s: Seconds until each partial has fallen to 1 / e.
        length_s: Seconds that are returned.
    """
    time = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
    sound = np.zeros(len(time))
    for pitch_hz, strength, decay_s in zip(pitches_hz, strengths, decays_s, strict=True):
        if pitch_hz < 0.48 * RATE_HZ:
            sound += strength * np.sin(2 * np.pi * pitch_hz * time) * np.exp(-time / decay_s)
    return sound * np.minimum(1, (time[-1] - time) / 0.01)  # no click where it is cut off


def filter_noise(
    samples: int, low_hz: float, high_hz: float, random: np.random.Generator
) -> np.ndarray:
    """Return noise between two pitches, its edges an octave soft, its mean square about 1."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / RATE_HZ) + 1
    below, above = np.log2(low_hz / hertz).clip(0), np.log2(hertz / high_hz).clip(0)
    noise = np.fft.irfft(spectrum * np.exp(-4 * (below**2 + above**2)), samples)
    return noise / np.std(noise)


def add_at(sound: np.ndarray, part: np.ndarray, start_s: float) -> None:
    """Add a part to a sound, in place; what reaches beyond its end is left off."""
    start = int(start_s * RATE_HZ)
    fitting = part[: max(0, len(sound) - start)]
    sound[start : start + len(fitting)] += fitting
