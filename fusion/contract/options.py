"""Options of a method, from keywords to its dataclass."""

from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from modalities.spelling import did_you_mean

WIDTHS = {"rank", "sequential_rank"}  # options that no method can have below 1


def build_options(method: str, kind: type, options: Any = None) -> Any:
    """Build the options of a method.

    Args:
        method: Its name, for messages.
        kind: Its dataclass.
        options: An instance, a mapping of its fields, or None for the defaults.

    Raises:
        ValueError: No such option, or a value of another type.
    """
    built = _build(method, kind, options)
    for name in WIDTHS & {field.name for field in fields(kind)}:
        if getattr(built, name) < 1:
            raise ValueError(
                f"Option {name!r} of {method!r} is {getattr(built, name)}; expected 1 or more."
            )
    return built


def _build(method: str, kind: type, options: Any) -> Any:
    if options is None:
        return kind()
    if isinstance(options, kind):
        return options
    if not isinstance(options, Mapping):
        given = type(options).__name__
        raise ValueError(f"Options of {method!r} are {given}; expected {kind.__name__} or a dict.")
    assert is_dataclass(kind)
    known = {field.name: field for field in fields(kind)}
    for name, value in options.items():
        if name not in known:
            raise ValueError(
                f"Method {method!r} has no option {name!r}; known: {', '.join(known) or 'none'}."
                f"{did_you_mean(name, known)}"
            )
        default = getattr(kind(), name)
        if default is not None and not _alike(default, value):
            raise ValueError(
                f"Option {name!r} of {method!r} is {value!r}; expected a {type(default).__name__} "
                f"such as {default!r}."
            )
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    return kind(**values)


def _alike(default: Any, value: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    if isinstance(default, tuple):
        return isinstance(value, list | tuple)
    return isinstance(value, type(default))


def check_choice(option: str, value: str, choices: Collection[str]) -> None:
    """Check a value that is one of a few.

    Raises:
        ValueError: It is none of them.
    """
    if value not in choices:
        guess = did_you_mean(value, choices)
        raise ValueError(f"Option {option!r} is {value!r}; known: {', '.join(choices)}.{guess}")
