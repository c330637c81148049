"""What was heard of a sound, with names, before it is painted."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from data_prep.media import describe_choice, probe, stream_audio
from data_prep.media.tracks import SILENCE
from modalities.rates import RATE_HZ
from tasks.audio_to_image.painting.ear import Ear
from tasks.audio_to_image.separation.ranking import Ranking

UNNAMED, WHOLE = "source", "whole"
Report = Callable[[float, float | None], None]


@dataclass(frozen=True)
class HeardSource:
    """One of the sounds in a sound.

    Attributes:
        rank: 1 for the most significant.
        name: The likest label of those that the separator was trained with; "source" where it has
            none, "whole" where nothing was taken apart.
        probability: How likely the name is among all labels, 0 to 1; None without labels.
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
        for place, (name, chance) in enumerate(_names(ear, ranking, ranking.embeddings))
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
    total_s = probe(source, measure=False).duration_s
    loudest, done = 0.0, 0

    def follow() -> Iterator[np.ndarray]:
        nonlocal loudest, done
        for block in stream_audio(source, 1.0, audio_track):
            loudest = max(loudest, float(np.abs(block).max(initial=0)))
            yield block
            done += len(block)
            if progress:
                progress(done / RATE_HZ, total_s)

    heard = hear_blocks(ear, follow())
    notes = []
    silent = loudest <= SILENCE
    if chosen := describe_choice(source, audio_track, silent):
        notes.append(f"sound {chosen}")
    if silent:
        notes.append("it is silent, so what is painted is what comes without any sound")
    return Heard(heard.embeddings, heard.sources, heard.duration_s, tuple(notes))


def _names(ear: Ear, ranking: Ranking, embeddings: Tensor) -> list[tuple[str, float | None]]:
    if ear.separator is None:
        return [(WHOLE, None)]
    if not ear.separator.card.labels:
        return [(UNNAMED, None)] * len(ranking.order)
    return [*ear.separator.name_sources(embeddings.numpy())]
