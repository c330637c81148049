"""How many painted digits are the ones that were said."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data_prep.masks.images import to_8_bits
from data_prep.mixtures.digit_pictures import SIZE
from data_prep.mixtures.manifest import MixedSound, read_mixtures
from data_prep.mixtures.samples import load_sources
from modalities.audio.resample import resample
from modalities.audio_text.models import AudioText
from modalities.rates import RATE_HZ
from tasks.audio_to_image.painting.manifest import read_examples
from tasks.audio_to_image.painting.painter import Painter
from tasks.audio_to_image.separation.measuring import measure_separation
from tasks.audio_to_image.separation.ranking import embed_sounds
from tasks.audio_to_image.separation.separator import Separator
from tools.train_digit_reader import DigitReader

Numbers = tuple[int, ...]
SEED = 0  # of the first picture
LARGER, FRAME, GAP = 3, 2, 6  # of the sheet: times a picture's size, and pixels
RIGHT, WRONG, PLAIN = (70, 170, 80), (200, 60, 50), (150, 150, 150)


@dataclass(frozen=True)
class Heard:
    """Mixtures of digits with what was heard of them.

    Attributes:
        rows: The mixtures, with absolute paths.
        embeddings: [mixtures, sources, dim].
    """

    rows: Sequence[MixedSound]
    embeddings: Tensor

    @property
    def numbers(self) -> list[Numbers]:
        """What is said in each, the louder first."""
        return [tuple(map(int, row.labels)) for row in self.rows]


@dataclass(frozen=True)
class Scores:
    """Percent of mixtures whose digits are right.

    Attributes:
        one: Single digits that are read, and no other beside them.
        both: Pairs of which both are read, in any order.
        ordered: Pairs of which both are read, the louder on the left.
        some: Pairs of which one is read or both are.
    """

    one: float
    both: float
    ordered: float
    some: float


def score_digits(said: Sequence[Numbers], read: Sequence[Numbers]) -> Scores:
    """Compare what was said with what was read.

    Args:
        said: One digit or two of each mixture, the louder first; some mixtures of each.
        read: One digit or two of each picture, from left to right.
    """
    pairs = list(zip(said, read, strict=True))
    singles = [a == b for a, b in pairs if len(a) == 1]
    doubles = [(a, b) for a, b in pairs if len(a) == 2]
    return Scores(
        _percent(singles),
        _percent([sorted(a) == sorted(b) for a, b in doubles]),
        _percent([a == b for a, b in doubles]),
        _percent([bool(set(a) & set(b)) for a, b in doubles]),
    )


def read_heard(mixtures: Path, examples: Path, fold: str) -> Heard:
    """Read what a training heard of the mixtures of a fold.

    Args:
        mixtures: Their manifest.
        examples: The folder in which a training to paint kept what it heard.
        fold: As "test".

    Raises:
        FileNotFoundError: One of them is not there.
        ValueError: They are damaged, or a mixture was not heard.
    """
    examples_of, embeddings = read_examples(examples, True)
    assert embeddings is not None
    places = {row.id: n for n, row in enumerate(examples_of)}
    rows = [row for row in read_mixtures(mixtures) if row.fold == fold]
    if missing := [row.id for row in rows if row.id not in places]:
        raise ValueError(
            f"{examples} does not know {missing[0]} of {mixtures}; expected all mixtures. Train "
            "the painter again."
        )
    return Heard(rows, embeddings[[places[row.id] for row in rows]])


def embed_known(heard: Heard, audio_text: AudioText) -> Heard:
    """Return the same mixtures with embeddings of their true sources, zeros where there is none."""
    found = torch.zeros_like(heard.embeddings)
    for place, row in enumerate(heard.rows):
        sources = torch.from_numpy(np.stack(load_sources(row)))
        with torch.no_grad():
            found[place, : len(sources)] = embed_sounds(audio_text, sources, RATE_HZ)
    return Heard(heard.rows, found)


def paint_digits(
    painter: Painter, heard: Heard, reader: DigitReader, guidance: float | None = None
) -> tuple[Tensor, list[Numbers]]:
    """Paint each mixture, and read the picture.

    Args:
        painter: On the CPU.
        heard: Mixtures.
        reader: Reads pictures.
        guidance: None for the painter's own.

    Returns:
        0..1, [mixtures, *SIZE, 3], and the digits in each.
    """
    pictures = painter.paint(heard.embeddings, SEED, guidance=guidance)
    return pictures, reader.read(pictures)


def name_digits(heard: Heard, audio_text: AudioText, apart: bool) -> list[Numbers]:
    """Return what embeddings name without any painting, as many digits as were said.

    Args:
        heard: Mixtures.
        audio_text: Knows "0" to "9".
        apart: Each source has a name; else the first embedding has all the names that are likest.
    """
    texts = audio_text.embed_text([str(number) for number in range(10)])
    likeness = heard.embeddings @ texts.T  # [mixtures, sources, digits]
    found = []
    for row, said in zip(likeness, heard.numbers, strict=True):
        names = row[: len(said)].argmax(1) if apart else row[0].topk(len(said)).indices
        found.append(tuple(names.tolist()))
    return found


def measure_apart(separator: Separator, heard: Heard) -> dict[str, float]:
    """Return how well mixtures of two were taken apart; see `measure_separation`."""
    options = separator.network.options
    references = (
        resample(torch.from_numpy(np.stack(load_sources(row))), RATE_HZ, options.rate_hz).numpy()
        for row in heard.rows
        if len(row.sources) > 1
    )

    def separate(mixture: Tensor) -> tuple[np.ndarray, np.ndarray]:
        found = separator.separate(mixture.numpy(), options.rate_hz)
        return found.sources, np.array(found.scores)

    return measure_separation(separate, references, options)


def measure_overlap(heard: Heard) -> float:
    """Return for how much of the shorter of two digits the other one is heard too, percent."""
    shares = []
    for row in heard.rows:
        if len(row.sources) > 1:
            spans = [_span(source) for source in load_sources(row)]
            common = min(end for _, end in spans) - max(start for start, _ in spans)
            shares.append(max(0, common) / min(end - start for start, end in spans))
    return 100 * float(np.mean(shares))


def _span(waveform: np.ndarray) -> tuple[int, int]:
    """Return where a sound in silence begins and ends."""
    heard = np.flatnonzero(np.abs(waveform) > 0.01 * np.abs(waveform).max())
    return int(heard[0]), int(heard[-1]) + 1


def draw_sheet(
    truths: Sequence[np.ndarray], painted: Sequence[tuple[Tensor, Sequence[bool]]]
) -> np.ndarray:
    """Draw what was meant in the first line, and what was painted in the others.

    Args:
        truths: uint8 [*SIZE, 3] each.
        painted: For each line pictures, 0..1 [columns, *SIZE, 3], and whether each was read right.

    Returns:
        uint8 [height, width, 3]; frames are green where a picture is right, and red where not.
    """
    lines = [np.hstack([_framed(one, PLAIN) for one in truths])]
    for pictures, right in painted:
        values = to_8_bits(pictures.numpy())
        lines.append(
            np.hstack(
                [
                    _framed(one, RIGHT if good else WRONG)
                    for one, good in zip(values, right, strict=True)
                ]
            )
        )
    return np.vstack(lines)


def _framed(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    height, width = (LARGER * side + 2 * (FRAME + GAP) for side in SIZE)
    tile = np.full((height, width, 3), 255, np.uint8)
    tile[GAP:-GAP, GAP:-GAP] = colour
    edge = GAP + FRAME
    tile[edge:-edge, edge:-edge] = picture.repeat(LARGER, 0).repeat(LARGER, 1)
    return tile


def _percent(right: Sequence[bool]) -> float:
    return 100 * float(np.mean(right)) if right else float("nan")
