"""What all commands have in common: a plain usage, and no value that is empty."""

from typing import Any

from typer.core import TyperCommand

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
            ValueError: A value is empty, or an option that takes one value has several.
        """
        given, _, order = self.make_parser(ctx).parse_args(args=list(args))
        for option in order:
            once = not (getattr(option, "multiple", True) or getattr(option, "is_flag", False))
            if once and order.count(option) > 1:
                raise ValueError(
                    f"{option.opts[0]} is given {order.count(option)} times; expected once."
                )
        for parameter in self.get_params(ctx):
            value = None if parameter.name in SAID_ELSEWHERE else given.get(parameter.name)
            if "" not in (value if isinstance(value, list | tuple) else [value]):
                continue
            if parameter.param_type_name == "argument":
                raise ValueError(f"{parameter.metavar} is empty; expected a value.")
            name = parameter.opts[-1]
            raise ValueError(f"{name} is empty; expected a value, or leave it out.")
        return super().parse_args(ctx, args)
