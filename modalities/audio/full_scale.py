"""Bring a stretch of sound to full scale, so that how loud it was recorded changes nothing."""

import numpy as np

SILENCE = 1e-6  # of full scale: what peaks below is silence, and stays it


def to_full_scale(waveform: np.ndarray) -> np.ndarray:
    """Take off a constant part and scale the largest sample to 1.

    The mixtures that adapter sets are trained on peak at full scale, and most recordings do.

    Args:
        waveform: float32 [samples] at any level, beyond [-1, 1] too; empty it comes back as it is.

    Returns:
        float32 [samples]; silence stays as it is.
    """
    if not len(waveform):
        return waveform
    centred = waveform - np.float32(waveform.mean(dtype=np.float64))
    peak = max(float(centred.max()), -float(centred.min()))
    return centred * np.float32(1 / peak) if peak > SILENCE else centred
