"""Entries of docstrings say what something is, not only whose it is or what it is like.

The rule: the text of an entry under `Args:` or `Attributes:` is too little where it is empty, or
where it begins with one of `OPENERS` and is shorter than `SHORT` characters.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("modalities", "fusion", "data_prep", "tasks", "bench", "tools")
OPENERS = re.compile(r"(Of|Likewise|Ditto|As of|As for|The same|Same|See)\b|As `")
SHORT = 60
SECTION = re.compile(r"( *)(\w+):$")
ENTRY = re.compile(r" *\**(\w+)(?: \(.*\))?: ?(.*)")


def find_empty_entries(source: str) -> list[tuple[int, str]]:
    """Return line and text of the entries of a module that say too little."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if ast.get_docstring(node, clean=False) is not None and first is not None:
                lines = source.splitlines()[first.lineno - 1 : first.end_lineno]
                found += [
                    (first.lineno + place, f"{name}: {text}")
                    for place, name, text in read_entries(lines)
                    if says_too_little(text)
                ]
    return found


def read_entries(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """Yield place, name and text of what stands under Args and Attributes of a docstring."""
    edge = 0  # indentation of the section's name
    inside = False
    held: tuple[int, str, str] | None = None
    for place, line in enumerate([*lines, ""]):
        indent = len(line) - len(line.lstrip())
        deeper = bool(line.strip()) and inside and indent > edge
        if held and deeper and indent > edge + 4:
            begun, name, text = held
            held = (begun, name, f"{text} {line.strip()}".strip())
            continue
        if held:
            yield held
            held = None
        if deeper and (entry := ENTRY.fullmatch(line)):
            held = (place, entry[1], entry[2])
        elif section := SECTION.fullmatch(line):
            edge, inside = len(section[1]), section[2] in ("Args", "Attributes")


def says_too_little(text: str) -> bool:
    return not text or (OPENERS.match(text) is not None and len(text) < SHORT)


def test_entries_of_docstrings_say_what_something_is():
    found = [
        f"{path.relative_to(ROOT)}:{line} {entry!r}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, entry in find_empty_entries(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(["Say what each is: unit, range, shape, edges.", *found])


def test_an_entry_that_only_says_whose_it_is_is_found_with_its_line():
    source = '''
class Loop:
    """How to train.

    Attributes:
        betas: Likewise.
        rate: Step size of AdamW, above 0.
        dim:
            Of the features.
        mask (optional): The same.
    """

    def run(self, name, *rest):
        """Run.

        Args:
            name: Of the loop.
            rest: See `Loop`.

        Returns:
            Of no interest here.
        """
'''
    assert find_empty_entries(source) == [
        (6, "betas: Likewise."),
        (8, "dim: Of the features."),
        (10, "mask: The same."),
        (17, "name: Of the loop."),
        (18, "rest: See `Loop`."),
    ]


def test_an_entry_that_says_what_something_is_is_left_alone():
    source = '''
def cut(frames, share, seed):
    """Cut a clip.

    Nothing here: is an entry.

    Args:
        frames: How many to keep: 0 for none.
        share: Of each class so much is held back, rounded, but never all of its sounds, since the
            class has to be trained.
        seed: Offset of the first.
            Of it the rest follows.

    Raises:
        ValueError: As of old.
    """
'''
    assert find_empty_entries(source) == []
