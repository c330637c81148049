"""Checks of the options of injectors."""

from typing import Any


def check_counts(options: Any, *names: str) -> None:
    """Check numbers that cannot be below 1.

    Args:
        options: A dataclass.
        names: Fields that are to be 1 or more.

    Raises:
        ValueError: One is below 1.
    """
    for name in names:
        if getattr(options, name) < 1:
            raise ValueError(f"Option {name!r} is {getattr(options, name)}; expected 1 or more.")
