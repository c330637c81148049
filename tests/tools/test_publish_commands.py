"""The page of commands says what the program's help says."""

from pathlib import Path

from tools.publish_commands import to_markdown

PAGE = Path(__file__).resolve().parents[2] / "docs/commands.md"


def test_the_page_is_what_the_help_says():
    page = PAGE.read_text(encoding="utf-8")
    assert to_markdown() in page, "docs/commands.md is old; `make docs` writes it anew"


def test_every_command_and_option_has_a_text():
    rows = [line for line in to_markdown().splitlines() if line.startswith("| ")]
    assert len(rows) > 80
    assert [row for row in rows if row.rstrip(" |").count(" | ") == 0] == []


def test_a_default_in_words_is_told_as_those_of_values_are():
    rows = [line for line in to_markdown().splitlines() if line.startswith("| `--snr` | Clips")]
    assert len(rows) == 1 and rows[0].endswith(" again for more. Default: -10 -5 0 5 10. |")
    assert "[default" not in to_markdown()
