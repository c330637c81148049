"""The check of waveforms that users hand in as arrays."""

import numpy as np
from numpy.typing import ArrayLike

FULL_SCALE = {"int16": 2**15, "int32": 2**31}


def check_waveform(waveform: ArrayLike) -> np.ndarray:
    """Bring a waveform into the form that everything here expects, or say what is wrong with it.

    Args:
        waveform: [samples], floating point in [-1, 1], int16 or int32.

    Returns:
        float32 [samples].

    Raises:
        ValueError: Another shape or type; no samples; NaN or infinite samples.
    """
    array = np.asarray(waveform)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(
            f"Waveform has the shape {list(array.shape)}; expected [samples], one channel, not "
            f"empty. Average the channels first."
        )
    if array.dtype.name in FULL_SCALE:
        return array.astype(np.float32) / FULL_SCALE[array.dtype.name]
    if array.dtype.kind != "f":
        raise ValueError(
            f"Waveform is of type {array.dtype.name}; expected float32 in [-1, 1], int16 or int32. "
            f"Convert it first."
        )
    finite = np.isfinite(array)
    if not finite.all():
        raise ValueError(
            f"Waveform has {array.size - int(finite.sum())} NaN or infinite samples, the first at "
            f"{int(finite.argmin())}; expected numbers in [-1, 1]. Remove them first."
        )
    return array.astype(np.float32)
