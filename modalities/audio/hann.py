"""Hann's window in NumPy, for programs that would load torch for this alone."""

import numpy as np


def build_hann_window(samples: int) -> np.ndarray:
    """Build the window that the spectra of sounds are taken through, as `torch.hann_window` does.

    Args:
        samples: Its period; it begins at 0 and is even around the sample in its middle.

    Returns:
        float32 [samples].
    """
    turns = np.arange(samples) / samples
    return (0.5 - 0.5 * np.cos(2 * np.pi * turns)).astype(np.float32)
