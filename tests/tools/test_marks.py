"""Text between marks is written anew, and nothing else."""

from pathlib import Path

import pytest

from tools.marks import rewrite

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {
    "adapters.md": ["methods", "counts"],
    "audio_classification.md": ["study"],
    "avsr.md": ["avsr", "enrolment", "report"],
    "commands.md": ["commands"],
    "segmentation.md": ["published", "study"],
    "speed.md": ["bench"],
}


def test_what_is_between_the_marks_alone_changes(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n")
    rewrite(page, "x", lambda old: old.strip() + " and new")
    assert page.read_text() == "a\n<!-- x: begin -->\nold and new\n<!-- x: end -->\nb\n"


def test_a_page_without_marks_is_an_error_and_stays(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("a\n")
    with pytest.raises(ValueError, match="page.md has no marks 'x'"):
        rewrite(page, "x", str)
    assert page.read_text() == "a\n"


@pytest.mark.parametrize("name", PAGES)
def test_pages_that_commands_write_have_their_marks(name):
    text = (DOCS / name).read_text(encoding="utf-8")
    for mark in PAGES[name]:
        assert text.count(f"<!-- {mark}: begin -->") == text.count(f"<!-- {mark}: end -->") == 1
