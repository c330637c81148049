"""What was heard of a sound, with names, before it is painted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from modalities.rates import RATE_HZ
from tasks.audio_to_image.painting.ear import Ear
from tasks.audio_to_image.separation.following import Followed, Report
from tasks.audio_to_image.separation.outputs import name_ranked
from tasks.audio_to_image.separation.ranking import Ranking

WHOLE = "whole"


@dataclass(frozen=True)
class HeardSource:
    """One of the sounds in a sound.

    Attributes:
        rank: 1 for the most significant.
        name: The likest label of those that the separator was trained with; "source" where it has
            none, "whole" where nothing was taken apart, "faint" for what is taken for silence.
        probability: How likely the name is among all labels, 0 to 1; None without labels, and for
            what is faint.
        score: How like the whole sound it is, a cosine, -1 where it is silent.
        share: Part of the energy of all sources, 0 to 1.
    """

    rank: int
    name: str
    probability: float | None
    score: float
    share: float


@dataclass(frozen=True)
class Heard:
    """What was heard of a sound.

    Attributes:
        embeddings: Of its sources by rank, [sources, dim], zeros where one is silent.
        sources: What is known of each.
        duration_s: How long the sound is.
        notes: What is to be told, clauses without a full stop.
    """

    embeddings: Tensor
    sources: tuple[HeardSource, ...]
    duration_s: float
    notes: tuple[str, ...] = ()


def hear_blocks(ear: Ear, blocks: Iterable[np.ndarray]) -> Heard:
    """Hear a sound.

    Args:
        ear: Hears it.
        blocks: float32 [samples] each, 16 kHz.
    """
    samples = 0

    def count() -> Iterator[np.ndarray]:
        nonlocal samples
        for block in blocks:
            samples += len(block)
            yield block

    ranking = ear.listen(count())
    assert ranking.embeddings is not None
    sources = tuple(
        HeardSource(place + 1, name, chance, ranking.scores[place], ranking.shares[place])
        for place, (name, chance) in enumerate(_names(ear, ranking))
    )
    return Heard(ranking.embeddings, sources, samples / RATE_HZ)


def hear_file(
    ear: Ear,
    source: str | Path,
    audio_track: int | None = None,
    progress: Report | None = None,
) -> Heard:
    """Hear a media file of any length, in memory that does not grow with it.

    Args:
        ear: Hears it.
        source: Any media file with sound.
        audio_track: Index of one of several sound tracks; None for the main one.
        progress: Called with the seconds done, and all of them, None where that is not known.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no sound, or none that can be decoded, or no such track.
    """
    sound = Followed(source, audio_track, progress)
    heard = hear_blocks(ear, sound)
    notes = [sound.choice]
    if sound.silent:
        notes.append("it is silent, so what is painted is what comes without any sound")
    return Heard(heard.embeddings, heard.sources, heard.duration_s, tuple(filter(None, notes)))


def _names(ear: Ear, ranking: Ranking) -> list[tuple[str, float | None]]:
    if ear.separator is None:
        return [(WHOLE, None)]
    return name_ranked(ear.separator, ranking)
