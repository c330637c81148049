"""What all commands have in common: a plain usage, and no value that is empty or no number."""

from inspect import unwrap
from typing import Any, get_args, get_type_hints

from typer.core import TyperCommand

NUMBERS = {int: "a whole number, as 3", float: "a number, as 0.5"}
SAID_ELSEWHERE = ("prompts", "questions", "changes")  # what these expect instead


class PlainCommand(TyperCommand):
    """A command whose usage has NAME for what must be given, and which refuses what gets lost.

    An empty value is a shell's variable that was not set, and as a path it would be the current
    folder; of an option that is given twice all but the last would be passed over.
    """

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage that stand behind the command's name."""
        return [
            piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)
        ]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what was typed.

        Raises:
            ValueError: A value is empty, or is no number where one is expected; or an option that
                takes one value has several.
        """
        given, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for option in order:
            once = not (getattr(option, "multiple", True) or getattr(option, "is_flag", False))
            if once and order.count(option) > 1:
                raise ValueError(
                    f"{option.opts[0]} is given {order.count(option)} times; expected once."
                )
        hints = get_type_hints(unwrap(self.callback)) if self.callback else {}
        for parameter in self.get_params(ctx):
            value = None if parameter.name in SAID_ELSEWHERE else given.get(parameter.name)
            for one in value if isinstance(value, list | tuple) else [value]:
                _check_value(parameter, one, hints.get(parameter.name))
        return super().parse_args(ctx, args)


def _check_value(parameter: Any, value: Any, hint: Any) -> None:
    """Raise where a value, a text as it was typed, is empty, or is no number and should be."""
    if value == "":
        if parameter.param_type_name == "argument":
            raise ValueError(f"{parameter.metavar} is empty; expected a value.")
        raise ValueError(f"{parameter.opts[-1]} is empty; expected a value, or leave it out.")
    kind = next((kind for kind in NUMBERS if kind in _kinds(hint)), None)
    if kind is None or not isinstance(value, str):
        return
    try:
        kind(value)
    except ValueError:
        argument = parameter.param_type_name == "argument"
        name = parameter.metavar if argument else parameter.opts[-1]
        raise ValueError(f"{name} is {value!r}; expected {NUMBERS[kind]}.") from None


def _kinds(hint: Any) -> set[Any]:
    """Return a type, or those that it is made of, as int and None of `list[int] | None`."""
    parts = get_args(hint)
    return set().union(*map(_kinds, parts)) if parts else {hint}
