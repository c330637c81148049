"""What `mcgurk answer` and `mcgurk caption` were asked, checked before a model is loaded."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

AnswererName = Annotated[
    str, typer.Option(help="Name of a model that comes with mcgurk, or a folder from training.")
]


def check_texts(texts: Sequence[str], what: str) -> None:
    """Check questions or statements.

    Args:
        texts: As typed.
        what: They are, as "question".

    Raises:
        ValueError: One is empty, has letters that are no Unicode, or is a file.
    """
    from data_prep.masks.images import PICTURES
    from modalities.printable import check_words

    for number, text in enumerate(texts, 1):
        which = f"The {what}" if len(texts) == 1 else f"The {what} {number} of {len(texts)}"
        check_words(text, which, "words, as 'What colour is the car?'")
        if Path(text).suffix and os.path.isfile(text):  # it may be too long
            remedy = f"Give what is in it, each {what} in quotation marks."
            if Path(text).suffix.lower() in PICTURES:
                remedy = "For a statement about two pictures give the second as --and FILE."
            raise ValueError(f"The {what} {text} is a file; expected words. {remedy}")


def check_answerer(model: str) -> str:
    """Check that a model is there, before what reads it is loaded.

    Returns:
        What it takes: the name of what sees pictures, or hears sounds, for it.

    Raises:
        FileNotFoundError: There is none of that name, nor such a folder.
        ValueError: The name is empty, or the folder is damaged.
    """
    from tasks.cli.named_model import find_named_model
    from tasks.vision_language.card import CARD, SHIPPED_FOLDER, read_card

    return read_card(find_named_model(model, "model", SHIPPED_FOLDER, CARD)).images


def check_source(path: Path, images: str, *, quiet: bool = False) -> None:
    """Check that a file is what a model takes, before that is loaded; say what is made of it.

    Args:
        path: A picture, a sound or features of a video.
        images: Name of what sees or hears it, which `check_answerer` returns.
        quiet: Say nothing.

    Raises:
        OSError: It cannot be read.
        ValueError: It is something else.
    """
    from tasks.vision_language.sources import check_file

    if path.is_dir():
        raise ValueError(f"{path} is a folder; expected a file.")
    note = check_file(path, images)
    if note and not quiet:
        typer.echo(f"{path}: {note}.", err=True)
