"""What tools share that write a model of its own from a training of method "full"."""

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import fill
from typing import Protocol

from modalities.whole_file import replace_when_whole

FULL = "full"
WIDTH = 100  # of a model card, in characters


class Export(Protocol):
    """Writes the model of a training."""

    def __call__(self, trained: Path, folder: Path, *, half: bool = False) -> None:
        """Write it to a folder, with `half` in float16."""
        ...


def run_export(module: str, doc: str | None, export: Export, what: str) -> None:
    """Read the command line, write the model, and say where; mistakes are one line and exit 2.

    Args:
        module: What is typed behind `python -m`.
        doc: What --help says.
        export: Writes the model.
        what: The folder holds afterwards, as "a CLIPSeg".
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=doc)
    parser.add_argument("trained", type=Path, metavar="TRAINED")
    parser.add_argument("folder", type=Path, metavar="DST")
    parser.add_argument("--half", action="store_true", help="weights in float16")
    given = parser.parse_args()
    try:
        export(given.trained, given.folder, half=given.half)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(f"{given.folder}: {given.trained} as {what}")


def check_trained_whole(trained: Path, method: str) -> None:
    """Check that a training changed the whole model.

    Raises:
        ValueError: It did not.
    """
    if method != FULL:
        raise ValueError(
            f"{trained} was trained by method {method!r}; expected {FULL!r}. Of others the "
            "frozen model stays what it was."
        )


def tell_scores(scores: Mapping[str, float], names: Iterable[str]) -> str:
    """Return the test scores of some names that were measured, "not measured" for none."""
    told = {name: scores.get(f"test_{name}") for name in names}
    some = [f"{name} {value:.1f}" for name, value in told.items() if value is not None]
    return ", ".join(some) or "not measured"


def write_model_card(folder: Path, text: str) -> None:
    """Write README.md of a model.

    Raises:
        OSError: The folder cannot be written.
    """
    with replace_when_whole(folder / "README.md") as partial:
        partial.write_text("\n\n".join(map(_wrapped, text.split("\n\n"))), encoding="utf-8")


def _wrapped(paragraph: str) -> str:
    """Break the lines of a paragraph anew where what was filled in made one of them too long."""
    lines = paragraph.splitlines()
    if max(map(len, lines), default=0) <= WIDTH or paragraph.startswith(("|", "* ")):
        return paragraph
    end = "\n" if paragraph.endswith("\n") else ""
    return fill(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False) + end
