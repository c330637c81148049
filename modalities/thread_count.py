"""How many threads compute at once."""

import os


def count_threads(most: int) -> int:
    """Return OMP_NUM_THREADS where it is set, else the cores that this process may use.

    Args:
        most: Never more than so many cores are taken by themselves.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked):
        return int(asked)
    here = getattr(os, "sched_getaffinity", None)
    return min(most, len(here(0)) if here else os.cpu_count() or 1)
