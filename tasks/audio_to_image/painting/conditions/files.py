"""Adapters of conditions on disk: a card, and what was trained."""

from collections.abc import Mapping
from pathlib import Path

from fusion.conditions.contract import Injector
from fusion.conditions.files import load_injectors, save_injectors
from modalities.diffusion.denoiser import Denoiser
from tasks.audio_to_image.painting.conditions.card import CARD, WEIGHTS, ConditionCard
from tasks.cards import card_comes_last


def save_condition(
    folder: str | Path,
    injectors: Mapping[str, Injector],
    card: ConditionCard,
    *,
    half: bool = False,
) -> None:
    """Write an adapter of conditions.

    Args:
        folder: For it.
        injectors: Trained, by the names that conditions call them by.
        card: About them; its file comes last, so that a folder without it was not finished.
        half: Whether weights are kept in float16, half as large and a little less exact.

    Raises:
        OSError: The folder cannot be written.
    """
    with card_comes_last(Path(folder), CARD, card):
        save_injectors(injectors, Path(folder) / WEIGHTS, half=half)


def load_condition(
    folder: str | Path, card: ConditionCard, denoiser: Denoiser
) -> dict[str, Injector]:
    """Read what was trained, ready to be put on a denoiser.

    Args:
        folder: That training wrote.
        card: What is known about it.
        denoiser: What it is to stand on.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged, or was trained on another denoiser.
    """
    if card.weights != denoiser.identity:
        raise ValueError(
            f"{folder} was trained on {card.denoiser}, and {denoiser.name} has other weights; "
            "expected the same denoiser. Take a painter that stands on that one, or train anew."
        )
    built = load_injectors(denoiser.network, Path(folder) / WEIGHTS)
    return {name: one.requires_grad_(False).to(denoiser.device) for name, one in built.items()}
