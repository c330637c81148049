"""Write the table of methods and the published counts into docs/adapters.md and a file to read."""

from pathlib import Path

from fusion.papers.rows import count_rows, method_rows
from fusion.papers.table import STORED, counts_to_markdown, to_json, to_markdown
from tools.marks import rewrite

PAGE = Path(__file__).resolve().parents[1] / "docs/adapters.md"


def main() -> None:
    """Write both tables anew, between their marks and in `STORED`."""
    methods, counts = method_rows(), count_rows()
    rewrite(PAGE, "methods", lambda _: to_markdown(methods))
    rewrite(PAGE, "counts", lambda _: counts_to_markdown(counts))
    STORED.write_text(to_json(methods, counts), encoding="utf-8")


if __name__ == "__main__":
    main()
