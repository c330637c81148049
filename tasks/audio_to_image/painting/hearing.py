"""From mixtures with pictures to what a training to paint reads: embeddings of their sounds."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import pad

from data_prep.json_lines import find_manifest
from data_prep.masks.images import to_8_bits
from data_prep.mixtures.manifest import MANIFEST, MixedSound, read_mixtures
from data_prep.mixtures.samples import load_picture, load_sound
from data_prep.workers.resume import check_replaced_manifest
from modalities.file_hash import hash_file
from modalities.text_file import read_ended_lines
from tasks.audio_to_image.painting.ear import Ear
from tasks.audio_to_image.painting.manifest import (
    SoundedPicture,
    read_examples,
    read_rows,
    write_examples,
)
from tasks.audio_to_image.separation.following import Report
from tasks.pictures.sheets import save_sheet
from tasks.training.feature_files import OWNER
from tasks.training.kept_features import KeptFeatures

if TYPE_CHECKING:
    from modalities.audio_text.models import AudioText
    from tasks.audio_to_image.separation.separator import Separator

HEARD, PICTURES = "heard", "pictures"  # folders beside the examples
READING = 1  # counted up when sounds are read in another way: embeddings are made anew


def hear_examples(
    mixtures: str | Path,
    separator: "Separator | None",
    audio_text: "AudioText | None",
    folder: str | Path,
    sources: int,
    progress: Report | None = None,
) -> tuple[list[SoundedPicture], Tensor]:
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
        The rows, one for each mixture, with its id, fold and labels, and absolute paths; and what
        each sounds like, [rows, sources, dim].

    Raises:
        FileNotFoundError: The manifest, a sound or a picture is not there.
        ValueError: One of them cannot be used; both or neither of separator and audio_text; the
            folder keeps what another one heard, or pictures that nobody heard, or other mixtures
            came into it at the same time.
        OSError: The folder cannot be written.
    """
    if sources < 1:
        raise ValueError(f"sources is {sources}; expected 1 or more.")
    ear, folder = Ear(separator, audio_text), Path(folder).expanduser()
    rows = read_rows_of(mixtures)
    check_replaced_manifest(folder / MANIFEST, read_rows)
    _check_heard(folder)
    examples, embeddings = hear_rows(rows, ear, folder, sources, progress)
    write_examples(folder, examples, embeddings)
    _check_alone(folder, examples, embeddings)
    return examples, embeddings


def _check_heard(folder: Path) -> None:
    """Refuse a folder whose examples were written by hand, as they would be lost."""
    if (folder / MANIFEST).exists() and not (folder / HEARD / OWNER).exists():
        raise ValueError(
            f"{folder / MANIFEST} is there without {HEARD}/{OWNER}, so nothing that hears wrote "
            "it, and its pictures would be lost; expected a folder of its own for what is heard. "
            f"Give another one, or remove {MANIFEST} if it may be written anew."
        )


def _check_alone(folder: Path, examples: list[SoundedPicture], embeddings: Tensor) -> None:
    """Refuse what two wrote at once, of which one file may be the one's and one the other's."""
    rows, found = read_examples(folder, with_sounds=True)
    if rows != examples or found is None or not torch.equal(found, embeddings):
        raise ValueError(
            f"{folder} has other mixtures now than were heard just now; expected one that hears "
            "there at a time. Give each a folder of its own."
        )


def hear_rows(
    rows: Sequence[MixedSound],
    ear: Ear,
    folder: Path,
    sources: int,
    progress: Report | None = None,
) -> tuple[list[SoundedPicture], Tensor]:
    """Hear mixtures, and keep what was heard.

    Args:
        rows: One or more, with absolute paths.
        ear: Hears them.
        folder: Keeps what is heard, and pictures out of videos, see `hear_examples`.
        sources: How many embeddings a row has, 1 or more.
        progress: Called with the mixtures done, and all.

    Returns:
        The rows, and what each sounds like, [rows, sources, dim].

    Raises:
        FileNotFoundError: A sound or a picture is not there.
        ValueError: One cannot be used, or the folder keeps what another one heard.
        OSError: The folder cannot be written.
    """
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
    return examples, torch.stack(embeddings)


def holds_mixtures(folder: str | Path) -> bool:
    """Say whether a manifest, or that of a folder, is of mixtures, by its first line.

    Raises:
        ValueError: It is no text.
    """
    path = find_manifest(folder, MANIFEST)
    first = next(iter(read_ended_lines(path)), "") if path.is_file() else ""
    try:
        return "media" in dict(json.loads(first))
    except (ValueError, TypeError):  # what reads the whole tells what is wrong with it
        return False


def see_examples(mixtures: str | Path, folder: str | Path) -> list[SoundedPicture]:
    """Return the pictures of mixtures, without hearing them, for a denoiser that learns them alone.

    Args:
        mixtures: A manifest of mixtures, or its folder.
        folder: Pictures out of videos are written there; "" where there are none of those.

    Raises:
        FileNotFoundError: The manifest or a picture is not there.
        ValueError: One of them cannot be used.
        OSError: The folder cannot be written.
    """
    rows = read_rows_of(mixtures)
    if not str(folder) and (bare := [row for row in rows if not row.picture]):
        raise ValueError(
            f"{bare[0].id} of {mixtures} has a picture in a video; expected a folder to write it "
            "to. Name one by embeddings."
        )
    return [_example(row, Path(folder).expanduser() / PICTURES) for row in rows]


def read_rows_of(mixtures: str | Path) -> list[MixedSound]:
    """Read all rows of a manifest of mixtures, or of its folder.

    Raises:
        FileNotFoundError: There is no such manifest.
        ValueError: It is damaged, empty, or of something else.
    """
    path = find_manifest(mixtures, MANIFEST)
    rows = list(read_mixtures(path))
    if not rows:
        raise ValueError(f"{path} has no mixtures; expected some. Prepare it again.")
    return rows


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
        digest = hash_file(row.media)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"There is no {row.media}, the sound of {row.id}.") from error
    return f"{digest} {row.start_s} {row.end_s}"


def picture_of(row: MixedSound, pictures: str | Path) -> Path:
    """Return where the picture of a row is, or is to be written where it is a part of a video.

    Args:
        row: One with absolute paths.
        pictures: Folder for pictures of videos, whose names tell them from all others.

    Raises:
        FileNotFoundError: There is no such recording.
    """
    if row.picture:
        return Path(row.picture).resolve()
    told = sha256(f"{_key(row)} {row.picture_s}".encode()).hexdigest()[:32]
    return (Path(pictures) / f"{told}.png").resolve()


def _example(row: MixedSound, pictures: Path) -> SoundedPicture:
    """Return a row with its picture, which is written now where it is a part of a video."""
    picture = picture_of(row, pictures)
    if not picture.is_file() and row.picture:
        raise FileNotFoundError(f"There is no {picture}, the picture of {row.id}.")
    if not picture.is_file():
        save_sheet(to_8_bits(load_picture(row)), picture)
    return SoundedPicture(row.id, str(picture), row.fold, ", ".join(row.labels))
