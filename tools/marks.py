"""Text between marks in a Markdown file, which a command writes anew."""

from collections.abc import Callable
from pathlib import Path

from modalities.whole_file import replace_when_whole


def rewrite(path: Path, name: str, write: Callable[[str], str]) -> None:
    """Write anew what stands between the marks of a name.

    Args:
        path: The Markdown file, which holds both marks once.
        name: What stands in the marks <!-- NAME: begin --> and <!-- NAME: end -->.
        write: Makes the new text of the old one, both without the marks.

    Raises:
        ValueError: The file does not have these marks, once each.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = path.read_text(encoding="utf-8")
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"{path} has no marks {name!r}; expected {begin} and {end}, once each.")
    before, rest = text.split(begin)
    old, after = rest.split(end)
    text = f"{before}{begin}\n{write(old)}\n{end}{after}"
    with replace_when_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
