"""Trained classifiers on disk: a card, the adapter in PEFT's layout, and the head."""

from pathlib import Path

from torch import Tensor

from fusion.adapters.interface import Adapters
from modalities.catalog import load_audio_encoder
from modalities.empty_name import refuse_empty_name
from modalities.tensor_file import read_tensors, write_tensors
from tasks.audio_classification.card import CARD, ClassifierCard, read_card
from tasks.audio_classification.config import FULL, ClassificationConfig
from tasks.audio_classification.model import ADAPTER, SoundModel
from tasks.cards import card_comes_last

HEAD, ADAPTERS, ENCODER = ("head.safetensors", "adapter", "encoder.safetensors")


def save_classifier(folder: str | Path, model: SoundModel, card: ClassifierCard) -> None:
    """Write a classifier.

    Args:
        folder: For it.
        model: Trained.
        card: About it; its file comes last, so that a folder without it was not finished.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    with card_comes_last(folder, CARD, card):
        if model.adapters is not None:
            model.adapters.save(folder / ADAPTERS, ADAPTER)
        if card.method == FULL:
            write_tensors(folder / ENCODER, model.encoder.state_dict())
        write_tensors(folder / HEAD, model.head.state_dict())


def load_classifier(
    folder: str | Path, encoder: str | None = None
) -> tuple[SoundModel, ClassifierCard]:
    """Read a classifier, ready to classify.

    Args:
        folder: That training wrote.
        encoder: Another name or place of the same frozen model.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged, or was trained for another encoder.
    """
    refuse_empty_name(folder, "classifier")
    folder = Path(folder)
    card = read_card(folder)
    backbone = load_audio_encoder(encoder or card.encoder)
    config = ClassificationConfig(pooling=card.pooling, window_s=card.window_s)
    model = SoundModel(backbone, len(card.classes), config)
    try:
        model.head.load_state_dict(_read(folder / HEAD))
        if card.method == FULL:
            backbone.load_state_dict(_read(folder / ENCODER))
        elif card.method:
            Adapters(backbone).load(folder / ADAPTERS, ADAPTER)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"{folder} was trained for {card.encoder}, and does not fit {backbone.name}: "
            f"{str(error).strip().splitlines()[-1].strip()}"
        ) from error
    return model.eval(), card


def _read(path: Path) -> dict[str, Tensor]:
    return read_tensors(path, "the classifier is not whole", "train the classifier again")
