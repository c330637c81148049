"""Trained separators on disk: a card, the network, and where asked for what ranks the sources."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from modalities.empty_name import refuse_empty_name
from modalities.network_file import load_network, save_network
from modalities.separation.network import SeparationNetwork, SeparatorOptions
from tasks.audio_to_image.separation.card import CARD, SeparatorCard, find_folder, read_card
from tasks.cards import card_comes_last

if TYPE_CHECKING:
    from modalities.audio_text.models import AudioText

NETWORK, AUDIO_TEXT = "network.safetensors", "audio_text"


def save_separator(
    folder: str | Path,
    network: SeparationNetwork,
    card: SeparatorCard,
    audio_text: "AudioText | None" = None,
) -> None:
    """Write a separator, in float16.

    Args:
        folder: For it.
        network: Trained.
        card: About it; its file comes last, so that a folder without it was not finished.
        audio_text: A small model of sound and text that is to lie beside it; None leaves it where
            it is.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    with card_comes_last(folder, CARD, card):
        save_network(network, folder / NETWORK)
        if audio_text is not None:
            from modalities.audio_text.models import save_audio_text

            save_audio_text(audio_text, folder / AUDIO_TEXT)


def load_separator(folder: str | Path) -> tuple[SeparationNetwork, SeparatorCard]:
    """Read a separator's network and card.

    Raises:
        FileNotFoundError: It is not there, or not whole.
        ValueError: It is damaged.
    """
    refuse_empty_name(folder, "separator")
    folder = Path(folder)
    card = read_card(folder)
    return load_network(SeparationNetwork, SeparatorOptions, folder / NETWORK), card


def copy_weights(name: str | Path, network: SeparationNetwork) -> None:
    """Give a network the weights of a trained separator.

    Args:
        name: A folder that `mcgurk train` wrote; else the name of one that comes with mcgurk.
        network: What gets them, of the same sizes as the separator.

    Raises:
        FileNotFoundError: The separator is not there, or not whole.
        ValueError: It is damaged, or of other sizes.
    """
    trained, _ = load_separator(find_folder(name))
    theirs, ours = asdict(trained.options), asdict(network.options)
    other = [
        f"{entry} {theirs[entry]}, not {ours[entry]}"
        for entry in ours
        if entry != "dropout" and theirs[entry] != ours[entry]
    ]
    if other:
        raise ValueError(
            f"{name}, the separator to start from, has {'; '.join(other)}; expected the same "
            "sizes. Set those of network to its own, or start from none."
        )
    network.load_state_dict(trained.state_dict())


def load_ranking_model(
    folder: str | Path, card: SeparatorCard, other: "AudioText | str | Path | None" = None
) -> "AudioText | None":
    """Return the model of sound and text that a separator's sources are ranked by.

    Args:
        folder: Where the separator lies; a model that lies in it goes first.
        card: What is known about it.
        other: Another name or place of the same model, or itself; "" for none, so that sources are
            ranked by their energy; None for that of the card.

    Raises:
        ValueError: No such model, or not the one that the separator was trained with.
    """
    beside = Path(folder) / AUDIO_TEXT
    name = (beside if beside.is_dir() else card.audio_text) if other is None else other
    if isinstance(name, str | Path):
        if not str(name):
            return None
        from modalities.audio_text.models import load_audio_text

        model = load_audio_text(name)
    else:
        model = name
    if card.dim not in (0, model.dim) or card.identity not in ("", model.identity):
        raise ValueError(
            f"{folder} was trained with {card.audio_text} of {card.dim} features, and {model.name} "
            f"is another model, of {model.dim}; expected the same. Take that one, or rank sources "
            "by their energy, without any: audio_text='', as a command --audio-text none."
        )
    return model
