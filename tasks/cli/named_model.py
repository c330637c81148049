"""A trained model as it was typed: a name that comes with mcgurk, or a folder from training."""

from pathlib import Path


def find_named_model(model: str, what: str, shipped: Path, card: str) -> Path:
    """Return the folder of a model, before what reads it is loaded.

    Args:
        model: As typed.
        what: It is, for messages, as "painter".
        shipped: The folder of those that come with mcgurk, each a folder with a card.
        card: Name of the file by which a folder is known.

    Raises:
        FileNotFoundError: There is none of that name, nor such a folder.
        ValueError: The name is empty.
    """
    from modalities.spelling import did_you_mean
    from tasks.cards import find_in, list_in

    if not model.strip():
        raise ValueError("--model is empty; expected a name, as scenes, or a folder from training.")
    folder = find_in(shipped, model, card)
    if not folder.is_dir():
        known = list_in(shipped, card)
        raise FileNotFoundError(
            f"There is no {what} {model!r}; expected a folder that `mcgurk train` wrote, or one "
            f"that comes with mcgurk: {', '.join(known) or 'none yet'}.{did_you_mean(model, known)}"
        )
    return folder
