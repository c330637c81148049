"""What `mcgurk segment` prints: cells of its tables, and notes on stderr."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from tasks.segmentation.areas import percent

if TYPE_CHECKING:
    from tasks.pictures.lettering import Lettering
    from tasks.segmentation.areas import Area

LONGEST = 40  # letters of a prompt in a column
AREA = ("prompt", "pixels", "share", "mm2", "centre", "box", "probability")


def tell(note: str) -> None:
    """Print a note on stderr."""
    typer.echo(note, err=True)


def cells_of(area: "Area") -> list[str]:
    """Return what is told of a mask, under the heads of `AREA`."""
    if not area.area_px:
        most = f"at most {area.highest_probability:.2f}"
        return [shorten(area.prompt), "nothing found", "", "", "", "", most]
    centre, box = area.centre, area.box
    assert centre is not None and box is not None
    return [
        shorten(area.prompt),
        str(area.area_px),
        percent(area.share),
        "" if area.area_mm2 is None else f"{area.area_mm2:.4g}",
        f"{centre.x:.0f}, {centre.y:.0f}",
        f"{box.left}, {box.top} to {box.right}, {box.bottom}",
        f"{area.mean_probability:.2f}",
    ]


def shorten(prompt: str) -> str:
    """Cut a prompt to what fits into a column."""
    line = " ".join(prompt.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}\u2026"


def tell_cut(prompts: Iterable[tuple[str, bool]]) -> None:
    """Say which prompts were cut."""
    for prompt, cut in prompts:
        if cut:
            tell(f"The prompt {shorten(prompt)!r} is longer than the model reads; its end is cut.")


def tell_missing(lettering: "Lettering") -> None:
    """Say which scripts of the prompts no font has."""
    if lettering.missing:
        tell(
            f"Overlay: no font here has the letters of {', '.join(lettering.missing)}; a note "
            "stands for these prompts. Install one: pip install 'mcgurk[fonts]', or a Noto font "
            "of the system."
        )
