"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer


def with_default(text: str, default: str) -> str:
    """Return an option's help that ends as typer ends those of options with a default.

    Args:
        text: What the option is for.
        default: What holds where it is not given, in words: typer's own `show_default` would
            write words in two pairs of brackets.
    """
    return f"{text}  [default: {default}]"


MediaPath = Annotated[Path, typer.Argument(metavar="FILE", help="A video or sound file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON in one line, and nothing else.")]
Processes = Annotated[
    int | None,
    typer.Option(
        help=with_default("Processes that work at once, one core each.", "as many as cores")
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
AudioTrack = Annotated[
    int | None,
    typer.Option(
        metavar="INDEX",
        help=with_default("Which sound track, by the index that `mcgurk probe` lists.", "the main"),
    ),
]
Landmarks = Annotated[
    Path | None,
    typer.Option(
        help="Landmarks instead of our detector: .npy, .npz or .json, per 25 Hz frame, in pixels."
    ),
]
Box = Annotated[
    str | None,
    typer.Option(help="A fixed mouth box instead of our detector: x,y,width,height, in pixels."),
]


def parse_box(text: str) -> tuple[float, float, float, float]:
    """Read "x,y,width,height".

    Raises:
        ValueError: Not four numbers.
    """
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"Box {text!r} is not four numbers; expected x,y,width,height in pixels of the "
            "picture, as in 120,140,60,40."
        ) from None
    return x, y, width, height
