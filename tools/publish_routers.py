"""Write what `make routers` measured into docs/routers.md, between its marks.

`python -m tools.publish_routers [SECTION ...]`: all sections, or some. One that nothing has been
measured for is left as it is, and that is said.
"""

import argparse
from importlib import import_module
from pathlib import Path

from tools.marks import rewrite

PAGE = Path(__file__).resolve().parents[1] / "docs/routers.md"
# The module and the function that tell a section; each returns paragraphs of Markdown.
SECTIONS = {
    "switching": ("tools.routers_switching", "tell_switching"),
    "rewarded": ("tools.routers_rewarded", "tell_rewarded"),
    "heads": ("tools.routers_heads", "tell_heads"),
    "growth": ("tools.routers_growth", "tell_growth"),
    "entropy": ("tools.routers_entropy", "tell_entropy"),
}


def main() -> None:
    """Put the sections into the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.publish_routers", description=__doc__)
    # argparse holds the default of "*" against the choices, too.
    choices = [*SECTIONS, []]
    parser.add_argument("sections", nargs="*", choices=choices, metavar="SECTION", default=[])
    try:
        for name in parser.parse_args().sections or SECTIONS:
            print(f"{name}: {publish(name)}")
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")


def publish(name: str, page: Path = PAGE) -> str:
    """Write a section, and say what became of it.

    Args:
        name: A name of `SECTIONS`.
        page: The Markdown file with its marks.

    Raises:
        ValueError: The page lacks the marks.
        OSError: It cannot be written.
    """
    module, function = SECTIONS[name]
    try:
        paragraphs = getattr(import_module(module), function)()
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return f"left as it is, there is no {module}"
    except FileNotFoundError as error:
        return f"left as it is: {error}"
    rewrite(page, name, lambda _: "\n\n".join(paragraphs))
    return "written"


if __name__ == "__main__":
    main()
