"""A media file of any length taken apart into files: sources by rank, what is known, a picture."""

import json
import os
import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from data_prep.clips.names import file_name_of
from data_prep.media.wav import WavFile, read_wavs
from modalities.extras import import_extra
from modalities.rates import RATE_HZ
from modalities.whole_file import folder_when_whole, replace_when_whole
from tasks.audio_to_image.separation.following import Followed, Report
from tasks.audio_to_image.separation.ranking import FAINT, Ranking
from tasks.audio_to_image.separation.separator import Separator
from tasks.audio_to_image.separation.spectrogram import Caption, Spectrograms, draw_spectrograms

SEPARATION, PICTURE, REST = "separation.json", "spectrogram.png", "rest.wav"
UNNAMED = "source"
SPEECH = {
    "speech",
    "talker",
    "talking",
    "speaker",
    "speaking",
    "voice",
    "conversation",
    "narration",
}
UNFIT = re.compile(r"[^\w.+-]+")  # in a name of a file
LONGEST = 60  # letters of a name in one


@dataclass(frozen=True)
class OutputOptions:
    """What is written of a mixture.

    Attributes:
        labels: What sources may be called; () for what was heard in training.
        sources: Write so many, those of the highest rank, and the sum of all others as one; None
            for all.
        audio_track: Index of one of several sound tracks; None for the main one.
        picture: Draw spectrograms.
    """

    labels: tuple[str, ...] = ()
    sources: int | None = None
    audio_track: int | None = None
    picture: bool = True


@dataclass(frozen=True)
class SourceFile:
    """A source that was written.

    Attributes:
        rank: 1 for the most significant.
        name: The likest label, with "faint" before it where the share is below `FAINT`; "source"
            without a model of sound and text.
        probability: How likely the name is among all labels, 0 to 1; None without such a model, and
            for what is faint.
        score: How significant it is: how like the whole mixture it sounds, a cosine, times its
            amplitude where the separator ranks so; without such a model its share.
        share: Part of the energy of all sources, 0 to 1.
        file: Its name in the folder.
    """

    rank: int
    name: str
    probability: float | None
    score: float
    share: float
    file: str


@dataclass(frozen=True)
class SeparatedFile:
    """A media file that was taken apart.

    Attributes:
        mixture: The file, as an absolute path.
        rate_hz: Samples per second of what was written.
        duration_s: Length of each.
        sources: By rank.
        rest: Name of the file with the sum of all other sources; "" where there is none.
        rest_share: Their part of the energy.
        picture: Name of the picture; "" where there is none.
        notes: What is to be told, clauses without a full stop.
    """

    mixture: str
    rate_hz: int
    duration_s: float
    sources: tuple[SourceFile, ...]
    rest: str = ""
    rest_share: float = 0.0
    picture: str = ""
    notes: tuple[str, ...] = ()


def separate_file(
    separator: Separator,
    source: str | Path,
    folder: str | Path,
    options: OutputOptions | None = None,
    progress: Report | None = None,
) -> SeparatedFile:
    """Take a media file of any length apart, in memory that does not grow with it.

    Written are the sources as `1_NAME.wav`, ... in order of their rank, 16 bit at the separator's
    rate, `separation.json` and `spectrogram.png`.

    Args:
        separator: Does it.
        source: Any media file with sound.
        folder: To write, new or empty; it appears whole or not at all.
        options: What is written; everything without.
        progress: Called with the seconds done, and all of them, None where that is not known.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no sound, or none that can be decoded; labels that no model of sound and
            text knows; fewer sources than 1 or more than there are; the folder is not empty.
        OSError: The folder cannot be written.
    """
    options = options or OutputOptions()
    kept = check_sources(options.sources, separator.sources)
    if options.labels:  # unknown ones are told now, not after an hour
        dim = separator.audio_text.dim if separator.audio_text else 1
        separator.name_sources(np.zeros((1, dim), np.float32), options.labels)
    undrawn = _check_picture() if options.picture else ""
    picture = options.picture and not undrawn
    with folder_when_whole(os.path.abspath(folder)) as partial:
        heard = _take_apart(separator, source, partial, options.audio_track, progress)
        found = _name_files(separator, heard, partial, options, kept)
        notes = [*([undrawn] if undrawn else []), *_notes(heard)]
        found = replace(found, picture=PICTURE if picture else "", notes=tuple(notes))
        if picture:
            _draw(found, partial)
        told = json.dumps(asdict(found), ensure_ascii=False, indent=1, allow_nan=False)
        with replace_when_whole(partial / SEPARATION) as file:
            file.write_text(told + "\n", encoding="utf-8")
    return found


def _check_picture() -> str:
    """Return why no picture can be drawn, a clause; "" where it can."""
    try:
        import_extra("librosa", "separation", "the picture of spectrograms")
    except ValueError as error:
        return f"no {PICTURE} was drawn: {str(error).rstrip('.')}"
    return ""


def choose_talker(sources: Sequence[SourceFile]) -> SourceFile:
    """Return the source that is speech by its name, or else the one of the highest rank.

    Speech that is faint is not meant, as it is mostly what was left of other sources.

    Args:
        sources: One or more, by rank.
    """
    speech = (
        one
        for one in sources
        if one.share >= FAINT and SPEECH & set(re.findall(r"\w+", one.name.lower()))
    )
    return next(speech, sources[0])


def check_sources(wanted: int | None, known: int) -> int:
    """Return how many sources are written.

    Args:
        wanted: As asked for; None for all.
        known: How many the separator has.

    Raises:
        ValueError: Fewer than 1, or more than there are.
    """
    if wanted is None:
        return known
    if not 1 <= wanted <= known:
        raise ValueError(
            f"{wanted} sources are asked for; expected 1 to {known}, as the separator takes "
            "mixtures apart into so many."
        )
    return wanted


@dataclass(frozen=True)
class _Heard:
    """What was heard of a file.

    Attributes:
        sound: That of the file.
        paths: The sources, as the network puts them out.
        ranking: Their order.
        samples: How many each has.
        held: Samples of sources that were louder than full scale.
    """

    sound: Followed
    paths: tuple[Path, ...]
    ranking: Ranking
    samples: int
    held: int


def _take_apart(
    separator: Separator,
    source: str | Path,
    folder: Path,
    audio_track: int | None,
    progress: Report | None,
) -> _Heard:
    """Write all sources while they come."""
    sound, stream = Followed(source, audio_track, progress), separator.open_stream(RATE_HZ)
    paths = [folder / f"{number}.part" for number in range(separator.sources)]
    with ExitStack() as stack:
        files = [WavFile(path, separator.rate_hz) for path in paths]
        for file in files:
            stack.callback(file.close)
        for block in sound:
            _write(files, stream.push(torch.from_numpy(block)))
        _write(files, stream.flush())
        held = sum(file.held for file in files)
    return _Heard(sound, tuple(paths), stream.ranking(), files[0].samples, held)


def _write(files: Sequence[WavFile], sources: torch.Tensor) -> None:
    for file, samples in zip(files, sources.numpy(), strict=True):
        file.write(samples)


def _name_files(
    separator: Separator, heard: _Heard, folder: Path, options: OutputOptions, kept: int
) -> SeparatedFile:
    """Give the files of highest rank their names, and add up the others."""
    ranking = heard.ranking
    names = name_ranked(separator, ranking, options.labels)
    sources = []
    for place, (name, probability) in enumerate(names[:kept]):
        file = f"{place + 1:0{len(str(kept))}d}_{_fit(name)}.wav"
        heard.paths[ranking.order[place]].rename(folder / file)
        score, share = ranking.scores[place], ranking.shares[place]
        sources.append(SourceFile(place + 1, name, probability, score, share, file))
    others = [heard.paths[number] for number in ranking.order[kept:]]
    if others:
        _join(others, folder / REST, separator.rate_hz)
    return SeparatedFile(
        mixture=os.path.abspath(heard.sound.source),
        rate_hz=separator.rate_hz,
        duration_s=heard.samples / separator.rate_hz,
        sources=tuple(sources),
        rest=REST if others else "",
        rest_share=sum(ranking.shares[kept:]),
    )


def name_ranked(
    separator: Separator, ranking: Ranking, labels: Sequence[str] = ()
) -> list[tuple[str, float | None]]:
    """Return what each source is called by rank, and how sure that is, "source" and None for not.

    What is faint is called so, and sure of nothing.

    Args:
        separator: Knows names, where it has a model of sound and text.
        ranking: What it heard.
        labels: What sources may be called; none for those of training.
    """
    if ranking.embeddings is None or not (labels or separator.card.labels):
        return [(UNNAMED, None)] * len(ranking.order)
    names = separator.name_sources(ranking.embeddings.numpy(), labels)
    heard = ranking.embeddings.any(1).tolist()
    return [
        (f"faint {name}" if known else "faint", None) if 0 < share < FAINT else (name, chance)
        for (name, chance), share, known in zip(names, ranking.shares, heard, strict=True)
    ]


def _join(paths: Sequence[Path], rest: Path, rate_hz: int) -> None:
    file = WavFile(rest, rate_hz)
    try:
        for block in read_wavs(paths):
            file.write(block.sum(0))
    finally:
        file.close()
    for path in paths:
        path.unlink()


def _notes(heard: _Heard) -> list[str]:
    """Return what is to be told of what was heard."""
    found = []
    if chosen := heard.sound.choice:
        found.append(chosen)
    elif heard.sound.silent:
        found.append("it is silent")
    if heard.held:
        found.append(f"{heard.held} samples of sources, louder than full scale, are held there")
    return found


def _draw(found: SeparatedFile, folder: Path) -> None:
    """Draw what was written, and above it the mixture, which is its sum."""
    files = [folder / one.file for one in found.sources]
    captions = [Caption(Path(found.mixture).name), *(_caption(one) for one in found.sources)]
    if found.rest:
        files.append(folder / found.rest)
        captions.append(Caption("rest", f"{100 * found.rest_share:.1f} % of the energy"))
    spectrograms = Spectrograms(len(captions), found.rate_hz)
    for block in read_wavs(files):
        spectrograms.add(np.concatenate([block.sum(0, keepdims=True), block]))
    draw_spectrograms(spectrograms, captions, folder / PICTURE)


def _caption(one: SourceFile) -> Caption:
    told = f"{100 * one.share:.1f} % of the energy"
    if one.probability is not None:
        told = f"{100 * one.probability:.0f} % sure   {told}   score {one.score:.2f}"
    return Caption(f"{one.rank}  {one.name}", told)


def _fit(name: str) -> str:
    """Return a label as a part of a file's name."""
    return file_name_of(UNFIT.sub("_", name).strip("._")[:LONGEST] or UNNAMED)
