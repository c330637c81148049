"""Text between marks in a Markdown file, which a command writes anew."""

from collections.abc import Callable
from pathlib import Path


def rewrite(path: Path, name: str, write: Callable[[str], str]) -> None:
    """Write anew what stands between the marks of a name.

    Args:
        path: The Markdown file, which holds both marks once.
        name: What stands in the marks <!-- NAME: begin --> and <!-- NAME: end -->.
        write: Makes the new text of the old one, both without the marks.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = path.read_text(encoding="utf-8").split(begin)
    old, after = rest.split(end)
    path.write_text(f"{before}{begin}\n{write(old)}\n{end}{after}", encoding="utf-8")
