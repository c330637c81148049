"""Usage as docs/commands.md writes it: NAME, [CHANGES]..., without typer's braces."""

from typing import Any

from typer.core import TyperCommand


class PlainUsage(TyperCommand):
    """A command whose usage has what must be given as NAME, not as {NAME}."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage that stand behind the command's name."""
        return [
            piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)
        ]
