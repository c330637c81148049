"""Keep little of the memory that was freed."""

import ctypes
from functools import cache
from typing import Any

ARENA_MAX = -8  # of glibc's malloc.h


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


def share_heaps(most: int = 2) -> bool:
    """Have the threads of this program take memory from few heaps; before they begin.

    glibc gives each thread a heap of its own, up to eight for a core, and each keeps some of what
    is freed in it: eight threads that transcribe held 150 MB more than two.

    Args:
        most: How many heaps.

    Returns:
        Whether it is so now; elsewhere than in glibc nothing is done.
    """
    if _find_trim() is None:
        return False
    return bool(ctypes.CDLL(None).mallopt(ARENA_MAX, most))


@cache
def _find_trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        return None
