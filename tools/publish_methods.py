"""Write the table of methods and the published counts into docs/adapters.md."""

from pathlib import Path

from fusion.papers.table import counts_to_markdown, method_rows, to_markdown
from tools.marks import rewrite

PAGE = Path(__file__).resolve().parents[1] / "docs/adapters.md"


def main() -> None:
    """Write both tables anew, between their marks."""
    rewrite(PAGE, "methods", lambda _: to_markdown(method_rows()))
    rewrite(PAGE, "counts", lambda _: counts_to_markdown())


if __name__ == "__main__":
    main()
