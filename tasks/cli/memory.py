"""Keep memory that was freed, for what is computed next."""

import ctypes

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # of glibc's malloc.h
LARGEST = 1 << 30  # bytes of a block
OLD_LARGEST = 1 << 25  # what an older glibc lets be set


def keep_freed_memory() -> bool:
    """Have glibc keep large blocks that are freed, instead of giving them back to the system.

    Every step of a training on a CPU asks for the same tensors again; to get and clear their pages
    anew takes up to a third of its time. What is computed does not change.

    Returns:
        Whether it could be set; elsewhere than in glibc nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return False
    mapped = mallopt(MMAP_THRESHOLD, LARGEST) or mallopt(MMAP_THRESHOLD, OLD_LARGEST)
    return bool(mapped and mallopt(TRIM_THRESHOLD, LARGEST * 2 - 1) and mallopt(TOP_PAD, 1 << 28))
