"""From mixtures with pictures to what a training to paint reads: embeddings of their sounds."""

from collections.abc import Callable
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from data_prep.clips.names import file_name_of
from data_prep.json_lines import find_manifest
from data_prep.mixtures.manifest import MANIFEST, MixedSound, read_mixtures
from data_prep.mixtures.samples import load_picture, load_sound
from data_prep.workers.resume import check_replaced_manifest
from tasks.audio_to_image.painting.ear import Ear
from tasks.audio_to_image.painting.manifest import SoundedPicture, read_rows, write_examples
from tasks.pictures.sheets import save_sheet
from tasks.training.kept_features import KeptFeatures

if TYPE_CHECKING:
    from modalities.audio.audio_text import AudioText
    from tasks.audio_to_image.separation.separator import Separator

HEARD, PICTURES = "heard", "pictures"  # folders beside the examples
READING = 1  # counted up when sounds are read in another way: embeddings are made anew
Report = Callable[[float, float | None], None]


def hear_examples(
    mixtures: str | Path,
    separator: "Separator | None",
    audio_text: "AudioText | None",
    folder: str | Path,
    sources: int,
    progress: Report | None = None,
) -> list[SoundedPicture]:
    """Write what `read_examples` reads, of mixtures that have pictures.

    What was heard of a sound is kept in the folder by what is in its file, so that a run that was
    interrupted goes on, and another run computes nothing.

    Args:
        mixtures: A manifest of mixtures, or its folder.
        separator: Takes mixtures apart; a row has the embeddings of its sources in order of their
            significance. None for the embedding of the whole mixture in the first place.
        audio_text: Embeds mixtures as a whole; None with a separator, which has its own.
        folder: For the examples, of one separator or model alone; pictures out of videos are
            written there, too.
        sources: How many a row has: those of the highest rank, zeros where there are fewer.
        progress: Called with the mixtures done, and all.

    Returns:
        The rows, one for each mixture, with its id, fold and labels, and absolute paths.

    Raises:
        FileNotFoundError: The manifest, a sound or a picture is not there.
        ValueError: One of them cannot be used; both or neither of separator and audio_text; the
            folder keeps what another one heard.
        OSError: The folder cannot be written.
    """
    if sources < 1:
        raise ValueError(f"sources is {sources}; expected 1 or more.")
    ear, folder = Ear(separator, audio_text), Path(folder).expanduser()
    path = find_manifest(mixtures, MANIFEST)
    rows = list(read_mixtures(path))
    if not rows:
        raise ValueError(f"{path} has no mixtures; expected some. Prepare it again.")
    check_replaced_manifest(folder / MANIFEST, read_rows)
    identity = {"extractor": ear.identity, "dim": ear.dim, "reading": READING}
    kept = KeptFeatures(folder / HEARD, identity, ear.name)
    examples: list[SoundedPicture] = []
    embeddings: list[Tensor] = []
    try:
        for row in rows:
            examples.append(_example(row, folder / PICTURES))
            embeddings.append(_heard(row, ear, kept, sources))
            if progress:
                progress(len(examples), len(rows))
    finally:
        kept.flush()
    write_examples(folder, examples, torch.stack(embeddings))
    return examples


def _heard(row: MixedSound, ear: Ear, kept: KeptFeatures, sources: int) -> Tensor:
    """Return what a row sounds like, [sources, dim], as kept or listened to."""

    def listen() -> dict[str, Tensor]:
        found = ear.listen([load_sound(row)]).embeddings
        assert found is not None
        return {"embeddings": found}

    found = kept.of(_key(row), listen)["embeddings"][:sources]
    return pad(found, (0, 0, 0, sources - len(found)))


def _key(row: MixedSound) -> str:
    """Return what tells a sound from all others: what is in its file, and which part is meant."""
    try:
        with open(row.media, "rb") as file:
            digest = file_digest(file, "sha256").hexdigest()[:32]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"There is no {row.media}, the sound of {row.id}.") from error
    return f"{digest} {row.start_s} {row.end_s}"


def _example(row: MixedSound, pictures: Path) -> SoundedPicture:
    """Return a row with its picture, which is written where it is a part of a video."""
    picture = Path(row.picture) if row.picture else pictures / f"{file_name_of(row.id)}.png"
    if row.picture and not picture.is_file():
        raise FileNotFoundError(f"There is no {picture}, the picture of {row.id}.")
    if not row.picture:
        save_sheet(np.round(255 * load_picture(row)).astype(np.uint8), picture)
    return SoundedPicture(row.id, str(picture.resolve()), row.fold, ", ".join(row.labels))
