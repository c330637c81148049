"""Write what is counted and measured of conditions into docs/conditions.md, between its marks.

`python -m tools.publish_conditions [SECTION ...]`: all sections, or some. One that nothing has been
measured for is left as it is, and that is said.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from tools.conditions_attributes_page import tell_attributes
from tools.conditions_control_page import tell_control
from tools.conditions_cycle_page import tell_cycle
from tools.conditions_lips import tell_lips
from tools.conditions_mmdit_pages import tell_easycontrol, tell_pka, tell_unic
from tools.conditions_pairs import tell_pairs
from tools.conditions_presets import tell_presets
from tools.conditions_routed_page import tell_routed
from tools.conditions_sizes import tell_sizes
from tools.conditions_structure import tell_structure
from tools.conditions_views import tell_views
from tools.marks import rewrite

PAGE = Path(__file__).resolve().parents[1] / "docs/conditions.md"
# What tells each section, in paragraphs of Markdown.
SECTIONS: dict[str, Callable[[], list[str]]] = {
    "presets": tell_presets,
    "sizes": tell_sizes,
    "views": tell_views,
    "control": tell_control,
    "pairs": tell_pairs,
    "cycle": tell_cycle,
    "routed": tell_routed,
    "easycontrol": tell_easycontrol,
    "unic": tell_unic,
    "pka": tell_pka,
    "lips": tell_lips,
    "structure": tell_structure,
    "attributes": tell_attributes,
}


def main() -> None:
    """Put the sections into the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.publish_conditions", description=__doc__)
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
    try:
        paragraphs = SECTIONS[name]()
    except FileNotFoundError as error:
        return f"left as it is: {error}"
    rewrite(page, name, lambda _: "\n\n".join(paragraphs))
    return "written"


if __name__ == "__main__":
    main()
