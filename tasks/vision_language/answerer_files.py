"""Trained answerers on disk: a card, and what was trained of the frozen model."""

from pathlib import Path

from modalities.empty_name import refuse_empty_name
from modalities.vision_language.vl_files import load_vision_language
from tasks.cards import card_comes_last
from tasks.vision_language.card import CARD, AnswererCard, read_card
from tasks.vision_language.config import WritingOptions
from tasks.vision_language.looking import Looking, open_eyes
from tasks.vision_language.tuned import Tuned
from tasks.vision_language.tuned_files import load_tuned, save_tuned

TUNED = "tuned"
MEMORY = 256_000_000  # bytes of features of pictures that were asked about: 900 of CLIP's RN101


def save_answerer(folder: str | Path, tuned: Tuned, card: AnswererCard) -> None:
    """Write an answerer.

    Args:
        folder: For it.
        tuned: Trained.
        card: About it; its file comes last, so that a folder without it was not finished.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    with card_comes_last(folder, CARD, card):
        save_tuned(tuned, folder / TUNED)


def load_answerer(
    folder: str | Path, model: str | None = None
) -> tuple[Tuned, Looking, AnswererCard]:
    """Read an answerer, ready to answer.

    Args:
        folder: That training wrote.
        model: Another name or place of the same frozen language model.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged, or was trained for another model or other pictures.
    """
    refuse_empty_name(folder, "answerer")
    folder = Path(folder)
    card = read_card(folder)
    _check_writing(card, folder)
    eyes = open_eyes(card.images, most_bytes=MEMORY)
    if card.seen not in ("", eyes.identity):
        raise ValueError(
            f"{folder} was trained with pictures seen by {card.images}, which has other weights "
            "here; expected the same. Take that one, or train anew."
        )
    if not (folder / TUNED).is_dir():
        raise FileNotFoundError(
            f"There is no {folder / TUNED}; the answerer is not whole. Copy or train it again."
        )
    frozen = load_vision_language(model or card.model, eyes.dim, fresh=card.fresh_embedding)
    return load_tuned(frozen, folder / TUNED).eval(), eyes, card


def _check_writing(card: AnswererCard, folder: Path) -> None:
    try:
        WritingOptions(**card.writing)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / CARD} is damaged (writing: {error}); train the answerer again."
        ) from error
