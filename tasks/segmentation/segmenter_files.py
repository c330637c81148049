"""Trained segmenters on disk: a card, adapters in PEFT's layout, and what else was trained."""

from pathlib import Path

from torch import Tensor, nn

from fusion.adapters.interface import Adapters
from fusion.adapters.parts import frozen_state
from modalities.empty_name import refuse_empty_name
from modalities.tensor_file import read_tensors, write_tensors
from modalities.vision_language.clipseg_files import load_clipseg
from tasks.cards import card_comes_last
from tasks.segmentation.card import CARD, SegmenterCard, bare_card, list_shipped, read_card
from tasks.segmentation.config import SegmentationConfig
from tasks.segmentation.model import ADAPTER, PromptedModel, Segmentable, UNetModel, build_model
from tasks.segmentation.variants import DECODER, FULL, UNET

ADAPTERS, WHOLE, DECODER_FILE = "adapter", "model.safetensors", "decoder.safetensors"
NOT_WHOLE = "the segmenter is not whole. Copy or train it again"


def save_segmenter(folder: str | Path, model: Segmentable, card: SegmenterCard) -> None:
    """Write a segmenter.

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
        for file, part in _trained_parts(model, card).items():
            write_tensors(folder / file, frozen_state(part))


def load_segmenter(
    folder: str | Path, model: str | None = None
) -> tuple[Segmentable, SegmenterCard]:
    """Read a segmenter, ready to predict.

    Args:
        folder: That training wrote.
        model: Another name or place of the same frozen model.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged, or was trained for another model.
    """
    refuse_empty_name(folder, "segmenter")
    folder = Path(folder)
    card = read_card(folder)
    clipseg = load_clipseg(model or card.model)
    if card.method != UNET and card.weights not in ("", clipseg.identity):
        raise ValueError(
            f"{folder} was trained on {card.model}, and {clipseg.name} has other weights, words or "
            "pictures; expected the same model. Take that one, or train anew."
        )
    if card.method == UNET:
        config = SegmentationConfig(model=card.model, method=UNET, options=card.options)
        built: Segmentable = build_model(config, clipseg, len(card.labels))
    else:
        # Its adapters say themselves where they go.
        built = PromptedModel(clipseg, SegmentationConfig(model=card.model, method=DECODER))
    try:
        for file, part in _trained_parts(built, card).items():
            part.load_state_dict(_read(folder / file))
        if card.method not in (UNET, FULL, DECODER, ""):  # "" trains nothing
            if not (folder / ADAPTERS).is_dir():
                raise FileNotFoundError(f"There is no {folder / ADAPTERS}; {NOT_WHOLE}.")
            Adapters(clipseg).load(folder / ADAPTERS, ADAPTER)
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"{folder} was trained for {card.model}, and does not fit {clipseg.name}: "
            f"{str(error).strip().splitlines()[-1].strip()}"
        ) from error
    return built.eval(), card


def bare_segmenter(name: str) -> tuple[PromptedModel, SegmenterCard]:
    """Take a CLIPSeg as it is, with nothing trained.

    Args:
        name: A name, folder or hub id, see `load_clipseg`.

    Raises:
        ValueError: No such model.
    """
    config = SegmentationConfig(model=name, method=DECODER)
    model = PromptedModel(load_clipseg(name, list_shipped()), config).requires_grad_(False)
    return model.eval(), bare_card(name, model.size)


def _trained_parts(model: Segmentable, card: SegmenterCard) -> dict[str, nn.Module]:
    """Return what else than adapters was trained, by the name of its file."""
    if isinstance(model, UNetModel):
        return {WHOLE: model.network}
    if card.method == FULL:
        return {WHOLE: model.clipseg.model}
    trained = card.method == DECODER or card.train_decoder
    return {DECODER_FILE: model.clipseg.model.decoder} if trained else {}


def _read(path: Path) -> dict[str, Tensor]:
    return read_tensors(path, NOT_WHOLE, "train the segmenter again")
