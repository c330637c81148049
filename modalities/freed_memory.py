"""Give memory that was freed back to the system."""

import ctypes
from functools import cache
from typing import Any


def give_back_freed() -> bool:
    """Have glibc give back the pages that it keeps of what was freed.

    Arrays of very different lengths, freed in another order than they came, leave holes that are
    kept for what comes next and seldom fit it: over an hour of speech a third more is held than is
    used. It takes some milliseconds.

    Returns:
        Whether any was given back; elsewhere than in glibc nothing is done.
    """
    trim = _find_trim()
    return trim is not None and bool(trim(0))


@cache
def _find_trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        return None
