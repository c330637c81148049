"""How loud a recording is, by named recipes."""

from collections.abc import Callable

import numpy as np

FRAME, HOP = 256, 128  # samples of the recipe "active"
RANGE_DB = 30.0  # frames this far under the loudest do not count there


def rms_power(waveform: np.ndarray) -> float:
    """Mean square over the whole recording, pauses too: AV-HuBERT's and Whisper-Flamingo's measure.

    Args:
        waveform: [samples].
    """
    return float(np.mean(np.square(waveform, dtype=np.float64)))


def active_power(waveform: np.ndarray) -> float:
    """Mean square over frames at most 30 dB under the loudest, so that pauses do not count.

    Frames of 256 samples, every 128, under a Hann window; what is shorter than a frame counts
    whole.

    Args:
        waveform: [samples].

    Source:
        The preparation of Simic et al., AVSR-AV_Fusion_Module_for_Pre-Trained_ASR.
    """
    if len(waveform) < FRAME:
        return rms_power(waveform)
    window = np.hanning(FRAME)
    # The last frame may reach beyond the end, so that every sample is in one.
    padded = np.pad(waveform.astype(np.float64), (0, (FRAME - len(waveform)) % HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    powers = np.square(frames) @ np.square(window) / np.square(window).sum()  # [frames]
    loud = powers >= powers.max() * 10 ** (-RANGE_DB / 10)
    return float(powers[loud].mean())


RECIPES: dict[str, Callable[[np.ndarray], float]] = {"rms": rms_power, "active": active_power}


def measure_power(waveform: np.ndarray, recipe: str) -> float:
    """Measure a recording by a recipe.

    Args:
        waveform: [samples].
        recipe: A name of `RECIPES`.

    Raises:
        ValueError: No such recipe.
    """
    if recipe not in RECIPES:
        raise ValueError(f"No recipe {recipe!r}; known: {', '.join(RECIPES)}.")
    return RECIPES[recipe](waveform)
