"""The clips of an evaluation: which are painted, what they sound like, what they look like."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.mixtures.manifest import MixedSound
from tasks.audio_to_image.painting.config import PictureDataOptions
from tasks.audio_to_image.painting.evaluation.config import (
    ALL,
    FEWEST,
    PaintingEvaluationConfig,
)
from tasks.audio_to_image.painting.examples import Examples, part_rows
from tasks.audio_to_image.painting.hearing import (
    PICTURES,
    Report,
    hear_rows,
    holds_mixtures,
    picture_of,
    read_rows_of,
)
from tasks.audio_to_image.painting.manifest import SoundedPicture, read_examples
from tasks.audio_to_image.painting.painter import Painter
from tasks.audio_to_image.painting.painter_files import pictures_of


@dataclass(frozen=True)
class Clips:
    """What is painted.

    Attributes:
        examples: Rows, embeddings, and pictures in the size that is painted.
        place: Where they are from, in words.
    """

    examples: Examples
    place: str


def find_clips(
    config: PaintingEvaluationConfig, painter: Painter, folder: Path, progress: Report
) -> Clips:
    """Find the clips of an evaluation, and hear those that were not.

    Args:
        config: Which of them.
        painter: Hears them, as in its training.
        folder: Keeps what is heard, where neither the configuration nor the training names one.
        progress: Called with the clips heard, and all.

    Raises:
        FileNotFoundError: A manifest, sound or picture is not there.
        ValueError: One cannot be used; there is no such part, or too few clips in it.
    """
    trained = pictures_of(painter.card, config.painter)
    place = config.mixtures or trained.folder
    if not place:
        raise ValueError(
            f"{config.painter} does not say what it was trained with; expected mixtures=FOLDER."
        )
    if holds_mixtures(place):
        heard = Path(config.embeddings or painter.card.heard or folder).expanduser()
        mixtures = read_rows_of(place)
        seen = [_seen(row, heard / PICTURES) for row in mixtures]
        kept = [mixtures[n] for n in _choose(seen, config, trained, place)]
        sources = painter.adapter.options.sources
        rows, embeddings = hear_rows(kept, painter.ear, heard, sources, progress)
    else:
        found, told = read_examples(place, with_sounds=True)
        assert told is not None
        numbers = _choose(found, config, trained, place)
        rows, embeddings = [found[n] for n in numbers], told[numbers]
    return Clips(Examples(rows, embeddings, [painter.size]), place)


def _seen(row: MixedSound, pictures: Path) -> SoundedPicture:
    return SoundedPicture(row.id, str(picture_of(row, pictures)), row.fold)


def _choose(
    rows: Sequence[SoundedPicture],
    config: PaintingEvaluationConfig,
    trained: PictureDataOptions,
    place: str,
) -> list[int]:
    """Return the numbers of the rows of a part, or as many of them as are asked for."""
    part = config.part or _usual_part({row.fold for row in rows}, bool(config.mixtures))
    kept = list(range(len(rows)))
    if part == "test":
        kept = [n for n, row in enumerate(rows) if row.fold == part]
    elif part != ALL:
        kept = part_rows(rows, trained)[part]  # as the training parted them
    if config.clips:
        drawn = np.random.default_rng(config.seed).permutation(len(kept))[: config.clips]
        kept = [kept[n] for n in sorted(drawn)]
    if len(kept) < FEWEST:
        raise ValueError(
            f"{place} has {len(kept)} clips for {part!r}; expected {FEWEST} or more, as z-scores "
            "are measured against the pictures of others. Take another part, as part=all."
        )
    return kept


def _usual_part(folds: set[str], others: bool) -> str:
    """Return the part that is taken where none is named.

    Args:
        folds: Those that rows are of.
        others: Whether the rows are no rows of the training.
    """
    if "test" in folds:
        return "test"
    return ALL if others and folds == {""} else "validation"
