"""The table of methods describes every one of them."""

from fusion.methods.catalog import METHODS
from fusion.papers.counts import PUBLISHED
from fusion.papers.rows import method_rows
from fusion.papers.table import COLUMNS


def test_every_method_is_described_and_its_published_counts_are_known():
    rows = method_rows()
    assert [row.method for row in rows] == list(METHODS)
    assert all(len(row.cells()) == len(COLUMNS) and all(row.cells()) for row in rows)
    used = {part.method for row in PUBLISHED for part in row.parts}
    assert used <= set(METHODS)
