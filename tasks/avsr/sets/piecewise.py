"""Decode a window piece by piece where adapter sets know the sound, and plainly elsewhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from modalities.rates import RATE_HZ
from modalities.speech.timed_text import TimedText, WindowText, shift
from tasks.avsr.inputs.mouths import Mouths
from tasks.avsr.sets.contract import PieceRecogniser, Recognised, Utterance

Plain = Callable[[np.ndarray, float], WindowText]


@dataclass(frozen=True)
class Listened:
    """A stretch of text, and what the selector made of the sound it comes from.

    Attributes:
        text: With times from the window's start.
        recognised: None where no selector listened.
    """

    text: TimedText
    recognised: Recognised | None = None


def listen(
    waveform: np.ndarray,
    pieces: Sequence[tuple[int, int]],
    look: Callable[[float, float], Mouths],
    sets: PieceRecogniser,
    plain: Plain,
) -> tuple[list[Listened], float | None]:
    """Recognise a window.

    Args:
        waveform: [samples], 16 kHz.
        pieces: First sample of each and the one after its last, in order, from `cut_pieces`.
        look: Gives the mouths between two times, seconds from the window's start.
        sets: Chooses a set for a piece, or abstains.
        plain: Decodes a part of the window with the frozen model: [samples], and the second at
            which they begin.

    Returns:
        Stretches in order of time. Where the selector abstains from every piece, they are those of
        the frozen model on the whole window, to the bit, and where that wants to go on is the
        second, seconds from the window's start; else None.
    """
    found = sets.recognise([_utterance(waveform, piece, look) for piece in pieces])
    if all(recognised.text is None for recognised in found):
        whole = plain(waveform, 0.0)
        texts = [Listened(t, _heard_at(t.start_s, pieces, found)) for t in whole.segments]
        return texts, whole.next_s
    listened: list[Listened] = []
    numbered = zip(pieces, found, strict=True)
    for known, group in groupby(numbered, key=lambda pair: pair[1].text is not None):
        if known:
            for piece, recognised in group:
                listened += _placed(piece, recognised)
            continue
        run = list(group)
        start, stop = run[0][0][0], run[-1][0][1]
        for text in plain(waveform[start:stop], start / RATE_HZ).segments:
            moved = shift(text, start / RATE_HZ)
            which = _heard_at(moved.start_s, [p for p, _ in run], [r for _, r in run])
            listened.append(Listened(moved, which))
    return listened, None


def _utterance(
    waveform: np.ndarray, piece: tuple[int, int], look: Callable[[float, float], Mouths]
) -> Utterance:
    mouths = look(piece[0] / RATE_HZ, piece[1] / RATE_HZ)
    return Utterance(waveform[piece[0] : piece[1]], mouths.crops, mouths.mask)


def _placed(piece: tuple[int, int], recognised: Recognised) -> list[Listened]:
    if not recognised.text:
        return []
    start_s, stop_s = piece[0] / RATE_HZ, piece[1] / RATE_HZ
    words = recognised.words
    begin_s, end_s = (words[0].start_s, words[-1].end_s) if words else (0.0, stop_s - start_s)
    text = TimedText(begin_s, end_s, recognised.text, words, recognised.log_probability)
    return [Listened(shift(text, start_s), recognised)]


def _heard_at(
    time_s: float, pieces: Sequence[tuple[int, int]], found: Sequence[Recognised]
) -> Recognised | None:
    """Return what was made of the piece that a time lies in, or the last one before it."""
    chosen = None
    for (start, _), recognised in zip(pieces, found, strict=True):
        if chosen is None or start <= time_s * RATE_HZ:
            chosen = recognised
    return chosen
