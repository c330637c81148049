"""The pictures of an experiment, and what they sound like: heard now, or before."""

from torch import Tensor

from modalities.empty_name import refuse_empty_name
from tasks.audio_to_image.painting.config import ADAPTER, PaintingConfig
from tasks.audio_to_image.painting.ear import load_ear
from tasks.audio_to_image.painting.hearing import (
    Report,
    hear_examples,
    holds_mixtures,
    see_examples,
)
from tasks.audio_to_image.painting.manifest import SoundedPicture, read_examples


def find_examples(
    config: PaintingConfig, device: str = "auto", progress: Report | None = None
) -> tuple[list[SoundedPicture], Tensor | None, str]:
    """Find the pictures of an experiment; in the second stage hear mixtures that were not heard.

    Args:
        config: Names a folder of mixtures, or of what `write_examples` wrote.
        device: Where mixtures are heard: "auto", "cpu", "cuda" or "mps".
        progress: Called with the mixtures heard, and all.

    Returns:
        The rows, what each sounds like, [rows, sources, dim], None in the first stage, and the
        identity of what heard it, "" where it was heard before.

    Raises:
        FileNotFoundError: A manifest, sound or picture is not there.
        ValueError: One of them cannot be used; mixtures are to be heard, and nothing hears them.
        OSError: What is heard cannot be written.
    """
    folder = config.data.folder
    refuse_empty_name(folder, "folder of pictures (data.folder)")
    if config.stage != ADAPTER:
        if holds_mixtures(folder):
            return see_examples(folder, config.embeddings), None, ""
        return *read_examples(folder, with_sounds=False), ""
    if config.hears:
        return _hear(config, device, progress)
    if holds_mixtures(folder):
        raise ValueError(
            f"{folder} holds mixtures, and nothing is named that hears them; expected separator, "
            "or audio_text to hear them as a whole."
        )
    return *read_examples(folder, with_sounds=True), ""


def _hear(
    config: PaintingConfig, device: str, progress: Report | None
) -> tuple[list[SoundedPicture], Tensor | None, str]:
    ear = load_ear(config.separator, config.audio_text, device)
    if ear.dim != config.adapter.dim:
        raise ValueError(
            f"adapter.dim is {config.adapter.dim}, and {ear.name} have {ear.dim} features; "
            "expected the same."
        )
    rows, embeddings = hear_examples(
        config.data.folder,
        ear.separator,
        None if ear.separator else ear.audio_text,
        config.embeddings,
        config.adapter.sources,
        progress,
    )
    return rows, embeddings, ear.identity
