"""Painters on disk: a card, what was trained, and a small denoiser where it is one of ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modalities.diffusion.audio_adapter import AudioAdapter, AudioAdapterOptions
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.denoiser_files import load_denoiser, save_denoiser
from modalities.diffusion.small import SmallDenoiser
from modalities.empty_name import refuse_empty_name
from modalities.tensor_file import read_tensors, write_tensors
from tasks.audio_to_image.painting.card import CARD, PainterCard, read_card
from tasks.audio_to_image.painting.config import PictureDataOptions
from tasks.cards import card_comes_last, check_kinds

if TYPE_CHECKING:
    from tasks.audio_to_image.painting.ear import Ear

ADAPTER_FILE, DENOISER_FOLDER = "adapter.safetensors", "denoiser"
SEPARATOR_FOLDER = "separator"  # one that lies in a painter's folder goes before the card's
AGAIN = "train the painter again"


def save_painter(
    folder: str | Path,
    denoiser: Denoiser,
    adapter: AudioAdapter,
    card: PainterCard,
    *,
    half: bool = False,
) -> None:
    """Write a painter.

    Args:
        folder: For it.
        denoiser: Frozen; a small one is written too, another is named.
        adapter: Trained on it.
        card: About it; its file comes last, so that a folder without it was not finished.
        half: Whether weights are kept in float16, half as large and a little less exact.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    own = isinstance(denoiser, SmallDenoiser)
    with card_comes_last(folder, CARD, replace(card, weights="") if own else card):
        write_tensors(folder / ADAPTER_FILE, adapter.state_dict(), half=half)
        if isinstance(denoiser, SmallDenoiser):
            save_denoiser(denoiser, folder / DENOISER_FOLDER, half=half)


def load_painter(
    folder: str | Path, denoiser: str | None = None
) -> tuple[Denoiser, AudioAdapter, PainterCard]:
    """Read a painter, ready to paint.

    Args:
        folder: That training wrote.
        denoiser: Another name or place of the same frozen denoiser.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged, or was trained for another denoiser.
    """
    refuse_empty_name(folder, "painter")
    folder = Path(folder)
    card = read_card(folder)
    with _told_as_damage(folder):
        options = AudioAdapterOptions(**card.adapter)
        check_kinds(options)
    pictures_of(card, folder)
    own = folder / DENOISER_FOLDER
    frozen = load_denoiser(own if own.is_dir() and denoiser is None else denoiser or card.denoiser)
    if card.weights not in ("", frozen.identity):
        raise ValueError(
            f"{folder} was trained on {card.denoiser}, and {frozen.name} has other weights; "
            "expected the same denoiser. Take that one, or train anew."
        )
    state = read_tensors(folder / ADAPTER_FILE, "the painter is not whole", AGAIN)
    try:
        adapter = AudioAdapter(frozen, options)
        adapter.load_state_dict(state)
    except (RuntimeError, TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ValueError(
            f"{folder} was trained for {card.denoiser}, and does not fit {frozen.name}: {reason}"
        ) from error
    return frozen, adapter.requires_grad_(False).eval(), card


def pictures_of(card: PainterCard, folder: str | Path) -> PictureDataOptions:
    """Return which pictures a painter was trained on.

    Args:
        card: What is known about it.
        folder: Where the card lies, for messages.

    Raises:
        ValueError: The card is damaged.
    """
    with _told_as_damage(folder):
        sizes = tuple(card.pictures.get("sizes", ()))
        options = PictureDataOptions(**{**card.pictures, "sizes": sizes})
        check_kinds(options)
    return options


@contextmanager
def _told_as_damage(folder: str | Path) -> Iterator[None]:
    """Tell of a table in a card that makes no options as of damage of the card."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(f"{Path(folder) / CARD} is damaged ({error}); {AGAIN}.") from error


def load_painters_ear(
    folder: str | Path,
    card: PainterCard,
    device: str = "auto",
    separator: str | Path | None = None,
    audio_text: str | Path | None = None,
) -> "Ear":
    """Load what a painter hears sounds with.

    Args:
        folder: Of the painter; a separator that lies in it goes before the card's.
        card: What is known about it.
        device: "auto", "cpu", "cuda" or "mps".
        separator: Another name or place of the separator; None for that of the card.
        audio_text: Another name or place of the model of sound and text; None for that of the card.

    Raises:
        FileNotFoundError: One is not there, or not whole.
        ValueError: One is damaged, or not that of the training, or the card names none.
    """
    from tasks.audio_to_image.painting.ear import load_ear

    beside = Path(folder) / SEPARATOR_FOLDER
    taken = separator or (beside if beside.is_dir() else card.separator)
    model = audio_text or card.audio_text
    if not (taken or model):
        raise ValueError(
            f"{folder} was trained on embeddings that were handed in, and does not say what hears "
            "sounds; expected the name of a separator, or of a model of sound and text. Name one."
        )
    ear = load_ear(taken, model, device)
    if ear.dim != card.adapter.get("dim") or card.ear not in ("", ear.identity):
        wanted = card.separator or card.audio_text or "what it was trained with"
        raise ValueError(
            f"{folder} was trained with other embeddings than those of {taken or model}, of "
            f"{ear.dim} features; expected {wanted}, of {card.adapter.get('dim')} features, as it "
            "was then. Take that one, or train anew."
        )
    return ear
