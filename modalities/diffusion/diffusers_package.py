"""The library that denoisers come from, imported where one is needed."""

from typing import Any

from modalities.extras import import_extra


def import_diffusers() -> Any:
    """Import diffusers.

    Raises:
        ValueError: It is not installed, or cannot be imported.
    """
    return import_extra("diffusers", "diffusion", "painting pictures")
