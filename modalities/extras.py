"""Libraries that come with an extra of ours, imported where they are needed."""

from importlib import import_module
from typing import Any


def import_extra(name: str, extra: str, purpose: str) -> Any:
    """Import a library that an extra brings.

    Args:
        name: The library's package.
        extra: The extra of mcgurk that brings it.
        purpose: What it is for, for the message.

    Returns:
        The package.

    Raises:
        ValueError: It is not installed; or it is, and its import fails, for a reason that is told.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None:  # a library raised it by itself
            raise ValueError(_tell_broken(name, purpose, error)) from error
        if error.name == name:
            raise ValueError(
                f"{name} is not installed; expected for {purpose}: pip install 'mcgurk[{extra}]'."
            ) from error
        lacking = error.name.partition(".")[0]
        raise ValueError(
            f"{name} is installed, for {purpose}, and cannot be imported: it needs {error.name!r}, "
            f"which is not there. Install that, too: pip install {lacking}."
        ) from error
    except Exception as error:  # libraries whose own parts do not fit each other raise anything
        raise ValueError(_tell_broken(name, purpose, error)) from error


def _tell_broken(name: str, purpose: str, error: Exception) -> str:
    told = str(error).strip().split("\n")[0].rstrip(".")
    reason = f"{type(error).__name__}: {told}" if told else type(error).__name__
    return (
        f"{name} is installed, for {purpose}, and cannot be imported: {reason}. Install it anew: "
        f"pip install --force-reinstall {name}."
    )
