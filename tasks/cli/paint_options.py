"""What `mcgurk paint` was asked, checked before a model is loaded."""

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modalities.diffusion.limits import MOST_GUIDANCE, MOST_STEPS
from tasks.cli.options import with_default

if TYPE_CHECKING:
    from tasks.audio_to_image.painting.card import PainterCard
    from tasks.audio_to_image.painting.conditions.asked import Asked

SUFFIXES = (".png", ".jpg", ".jpeg")
MOST = 64  # pictures of a grid
MOST_ENLARGED = 64
LAST_SEED = 2**63 - 1 - MOST

Picture = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE", help="Picture to write (.png, .jpg).")
]
PainterName = Annotated[
    str, typer.Option(help="Name of a painter that comes with mcgurk, or a folder from training.")
]
Steps = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help=with_default("How often the denoiser looks: more is slower.", "as in training"),
    ),
]
Guidance = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help=with_default(
            "How far to go beyond what is painted without sounds; 1 for none, which is faster.",
            "as in training",
        ),
    ),
]
Seed = Annotated[int, typer.Option(help="Another one, another picture.")]
Count = Annotated[
    int,
    typer.Option(
        metavar="N", help="How many pictures, in rows of a square, each of the next seed."
    ),
]
Enlarge = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help=with_default(
            "Write each pixel as N x N; 1 for the picture as it is painted.",
            "as many as give 256 on the shorter side",
        ),
    ),
]
Sources = Annotated[
    int | None,
    typer.Option(
        metavar="N", help=with_default("Paint the N sounds of highest rank alone.", "all")
    ),
]
SeparatorPlace = Annotated[
    str | None,
    typer.Option(
        "--separator",
        metavar="NAME",
        help=with_default("Where the separator is that it was trained with.", "as in training"),
    ),
]
AudioTextPlace = Annotated[
    str | None,
    typer.Option(
        "--audio-text",
        metavar="NAME",
        help=with_default(
            "Where the model of sound and text is that it was trained with.", "as in training"
        ),
    ),
]
Edges = Annotated[
    Path | None,
    typer.Option(
        metavar="PICTURE",
        help="Follow the edges of a picture, or the white lines of one that is black and white.",
    ),
]
Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        metavar="NAME=VALUE",
        help=(
            "What the picture is like, 0 to 1 or with a unit, as loudness=0.8 or pitch=220Hz; "
            "NAME alone for as the sound is. Again for more."
        ),
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="WxH", help=with_default("Width by height in pixels, as 48x32.", "as in training")
    ),
]
ConditionPlaces = Annotated[
    list[Path] | None,
    typer.Option(
        "--condition",
        metavar="FOLDER",
        help="An adapter of edges, attributes or sizes from training. Again for more.",
    ),
]


def check_painter(model: str) -> "PainterCard":
    """Check that a painter is there, before what reads it is loaded.

    Returns:
        What is known about it.

    Raises:
        FileNotFoundError: There is none of that name, nor such a folder.
        ValueError: The name is empty, or the folder is damaged.
    """
    from tasks.audio_to_image.painting.card import CARD, SHIPPED_FOLDER, read_card
    from tasks.cli.named_model import find_named_model

    return read_card(find_named_model(model, "painter", SHIPPED_FOLDER, CARD))


def check_numbers(
    card: "PainterCard",
    steps: int | None,
    guidance: float | None,
    seed: int,
    count: int,
    sources: int | None,
    enlarge: int | None = None,
) -> None:
    """Check what was typed against what can be.

    Args:
        card: What is known about the painter.
        steps: How often the denoiser looks; None for the card's number.
        guidance: How far it goes beyond what is painted without sounds; None for the card's.
        seed: What fixes the first picture's noise.
        count: How many pictures are painted.
        sources: How many of the sounds that are heard; None for all.
        enlarge: Side of the square that a pixel becomes; None for what suits the eye.

    Raises:
        ValueError: One is out of range.
    """
    _check("--steps", 1 if steps is None else steps, 1, MOST_STEPS)
    _check("--guidance", 1.0 if guidance is None else guidance, 0, MOST_GUIDANCE)
    _check("--seed", seed, 0, LAST_SEED)
    _check("--count", count, 1, MOST)
    _check("--enlarge", 1 if enlarge is None else enlarge, 1, MOST_ENLARGED)
    most = card.adapter.get("sources")
    if sources is not None and isinstance(most, int):
        _check("--sources", sources, 1, most)


def _check(name: str, value: float, least: float, most: float) -> None:
    if not (isfinite(value) and least <= value <= most):
        raise ValueError(f"{name} is {value}; expected {least} to {most}.")


def check_conditions(
    model: str,
    edges: Path | None,
    attributes: list[str] | None,
    size: str | None,
    places: list[Path] | None,
) -> "Asked":
    """Check what was typed beside the sound against the adapters that are there.

    Args:
        model: The painter's name or folder.
        edges: A picture, or None.
        attributes: Each "NAME=VALUE", or "NAME".
        size: "WxH", or None.
        places: Folders of adapters that do not lie in the painter's.

    Raises:
        FileNotFoundError: The picture or a folder is not there.
        ValueError: There is no adapter for it; a name twice, no number, or one out of range.
    """
    from tasks.audio_to_image.painting.card import find_folder
    from tasks.audio_to_image.painting.conditions.asked import (
        Asked,
        check_kinds_there,
        read_attributes,
        read_size,
    )
    from tasks.audio_to_image.painting.conditions.card import find_conditions

    cards = list(find_conditions(find_folder(model), places or ()).values())
    texts = attributes or []
    check_kinds_there(Asked(edges, dict.fromkeys(texts)), cards)
    asked = Asked(edges, read_attributes(texts, cards), read_size(size) if size else None)
    if edges is not None and not edges.is_file():
        raise FileNotFoundError(f"There is no picture {edges}; expected one whose edges to follow.")
    return asked
