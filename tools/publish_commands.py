"""Write what `mcgurk --help` says, command by command, into docs/commands.md."""

import re
from pathlib import Path
from typing import Any

from tools.marks import rewrite

PAGE = Path(__file__).resolve().parents[1] / "docs/commands.md"


def main() -> None:
    """Write the page anew, between its marks."""
    rewrite(PAGE, "commands", lambda _: to_markdown())


def to_markdown() -> str:
    """Describe all commands of the program, as its help does: a table, then one section each."""
    import typer

    from tasks.cli import app

    found = _commands(typer.main.get_command(app), "mcgurk")
    lines = ["| command | does |", "| --- | --- |"]
    lines += [f"| [`{name}`](#{_anchor(name)}) | {_first(command)} |" for name, command in found]
    return "\n".join([*lines, *(_section(name, command) for name, command in found)])


def _commands(command: Any, name: str) -> list[tuple[str, Any]]:
    """Return all commands below one, by what is typed."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return [(name, command)]
    return [pair for key, one in inner.items() for pair in _commands(one, f"{name} {key}")]


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


def _first(command: Any) -> str:
    return _cell((command.help or "").strip().splitlines()[0])


def _section(name: str, command: Any) -> str:
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    places = [p for p in shown if p.param_type_name == "argument"]
    typed = " ".join(_usage(place) for place in places)
    rows = [f"| `{_usage(p)}` | {_cell(p.help)} |" for p in places]
    rows += [f"| {_names(p)} | {_cell(p.help)}{_default(p)} |" for p in shown if p not in places]
    head = ["| argument, option | means |", "| --- | --- |"]
    usage = " ".join([name, "[OPTIONS]", typed]).strip()
    return "\n".join(["", f"## {name}", "", f"`{usage}`", "", _text(command), "", *head, *rows])


def _text(command: Any) -> str:
    return " ".join((command.help or "").split())


def _usage(place: Any) -> str:
    name = place.metavar or place.name.upper()
    name = f"{name}..." if place.nargs == -1 else name
    return name if place.required else f"[{name}]"


def _names(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _default(option: Any) -> str:
    value = option.default
    if option.required:
        return " Required."
    if value is None or value is False or value == [] or callable(value):
        return ""
    if value is True:
        value = option.opts[0]
    return f" Default: `{value}`."


def _cell(text: str | None) -> str:
    words = " ".join((text or "").split()).replace("|", "\\|")
    return re.sub(r" \[default: (.+)\]$", r" Default: \1.", words)


if __name__ == "__main__":
    main()
