"""What README and docs/ tell a reader to type can be typed, what they link is there."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from tasks.__main__ import run
from tasks.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
PROGRAM = typer.main.get_command(app)


def commands_in(page: Path) -> list[str]:
    """Return the calls of the program in the code blocks of a page."""
    blocks = [text for kind, text in FENCED.findall(page.read_text(encoding="utf-8")) if not kind]
    return [line for block in blocks for line in block.splitlines() if line.startswith("mcgurk ")]


COMMANDS = [(page.name, line) for page in PAGES for line in commands_in(page)]


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_commands_of_the_pages_are_understood(page, line):
    command, (_, *words) = PROGRAM, shlex.split(line, comments=True)
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    command.make_context(command.name, words)


def test_the_pages_have_commands():
    assert {page for page, _ in COMMANDS} >= {"README.md", "avsr.md", "audio_classification.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_named_commands_exist(page):
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#]+)", text):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
    for name in re.findall(r"`mcgurk (\w+)", text):
        assert name in PROGRAM.commands, name  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_of_the_pages_is_python(page):
    for kind, text in FENCED.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            compile(text, page.name, "exec")


def test_the_first_command_says_what_the_readme_shows(demo_clip, capsys):
    shown = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, rest = shown.partition("<!-- transcript: begin -->\n```\n")
    block, _, _ = rest.partition("```\n<!-- transcript: end -->")
    assert run(["transcribe", str(demo_clip)]) == 0
    told = capsys.readouterr()
    assert told.out + told.err == block
