"""Numbers as a checkpoint and JSON take them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor


def plain_numbers(source: str, values: Mapping[str, Any]) -> dict[str, float]:
    """Turn numbers of any library into Python's own.

    A checkpoint with one of numpy's numbers in it is written without a word, and refused when it is
    read.

    Args:
        source: Where they come from, for the error.
        values: Numbers, truth values, or tensors and arrays of one element, by name.

    Raises:
        ValueError: One is no number; the message says which, and where it comes from.
    """
    return {name: _plain(source, name, value) for name, value in values.items()}


def _plain(source: str, name: str, value: Any) -> float:
    number = value
    if isinstance(value, Tensor | np.ndarray | np.generic):
        size = value.numel() if isinstance(value, Tensor) else value.size
        number = value.item() if size == 1 else None
    if isinstance(number, bool | int | float):
        return float(number)
    told = " ".join(repr(value).split())[:60]
    raise ValueError(
        f"{source} gives {name!r} as {told} ({type(value).__name__}); expected one number."
    )
