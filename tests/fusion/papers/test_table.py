"""The table of methods is what the code says, in the documentation too."""

from pathlib import Path

from fusion.methods.catalog import METHODS
from fusion.papers.counts import PUBLISHED
from fusion.papers.table import COLUMNS, counts_to_markdown, method_rows, to_markdown

DOCS = Path(__file__).resolve().parents[3] / "docs/adapters.md"


def test_the_documentation_has_the_tables_as_they_are_now():
    text = DOCS.read_text(encoding="utf-8")
    message = "run `make docs`"
    assert to_markdown(method_rows()) in text, message
    assert counts_to_markdown() in text, message


def test_every_method_is_described_and_its_published_counts_are_known():
    rows = method_rows()
    assert [row.method for row in rows] == list(METHODS)
    assert all(len(row.cells()) == len(COLUMNS) and all(row.cells()) for row in rows)
    used = {part.method for row in PUBLISHED for part in row.parts}
    assert used <= set(METHODS)
