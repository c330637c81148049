"""What `mcgurk separate` was asked, checked before a model is loaded."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tasks.cli.options import with_default

if TYPE_CHECKING:
    from tasks.audio_to_image.separation.card import SeparatorCard

SeparatorName = Annotated[
    str, typer.Option(help="Name of a separator that comes with mcgurk, or a folder from training.")
]
RankedBy = Annotated[
    str | None,
    typer.Option(
        "--audio-text",
        metavar="NAME",
        help=with_default(
            "Where the model of sound and text is by which sources are named and ranked; none "
            "goes by their energy.",
            "as in training",
        ),
    ),
]


NO_MODEL = "none"  # as typed; a folder of that name is ./none


def check_separator(model: str) -> "SeparatorCard":
    """Check that a separator is there, before what reads it is loaded.

    Returns:
        What is known about it.

    Raises:
        FileNotFoundError: There is none of that name, nor such a folder.
        ValueError: The name is empty, or the folder is damaged.
    """
    from tasks.audio_to_image.separation.card import CARD, SHIPPED_FOLDER, read_card
    from tasks.cli.named_model import find_named_model

    return read_card(find_named_model(model, "separator", SHIPPED_FOLDER, CARD))


def check_labels(labels: Sequence[str], card: "SeparatorCard", audio_text: str | None) -> None:
    """Check what sources may be called.

    Args:
        labels: As typed; none for those of training.
        card: What is known about the separator.
        audio_text: As typed; None for the model that the card names.

    Raises:
        ValueError: A label is empty or no Unicode, or no model could choose among them.
    """
    from modalities.printable import check_words

    for label in labels:
        check_words(label, "--label", "what a source may be called, as 'dog'")
    if labels and not (card.audio_text if audio_text is None else audio_text):
        raise ValueError(
            "--label needs a model of sound and text, and this separator ranks by energy; leave "
            "the labels out, or take a separator that was trained with one."
        )


def check_count(wanted: int | None, card: "SeparatorCard") -> None:
    """Check how many sources are asked for.

    Raises:
        ValueError: Fewer than 1, or more than the separator has.
    """
    known = card.network.get("sources")
    if wanted is None or (wanted >= 1 and (not isinstance(known, int) or wanted <= known)):
        return
    most = f"1 to {known}" if isinstance(known, int) else "1 or more"
    raise ValueError(f"--sources is {wanted}; expected {most}, as the separator has.")


def check_sound(source: Path, audio_track: int | None) -> None:
    """Look at a media file before a model is loaded.

    Raises:
        FileNotFoundError: It is not there.
        ValueError: It is no media, or has no sound, or no such track.
    """
    from data_prep.media import stream_audio

    stream_audio(source, audio_track=audio_track)
