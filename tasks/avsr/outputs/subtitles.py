"""Segments cut into subtitles that fit on a screen: two lines, in time, one after the other."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol
from unicodedata import category

from modalities.speech.timed_text import Word
from tasks.pictures.line_breaks import columns_of, is_unspaced, split_clusters

LINE_COLUMNS = 42  # what broadcasters allow
LINES = 2
LONG_PAUSE_S = 1.0  # words so far apart stand in two subtitles
SHORT_PAUSE_S = 0.5  # a subtitle stays until the next one comes so soon
LEAST_MS = 100
UNSEEN = "Cc", "Cs"  # control characters and halves of others, which no file can hold
SENTENCE_END, PHRASE_END = re.compile(r"[.?!…。！？।]['\"”’»)]*$"), re.compile(r"[,;:，、；：—-]$")


class Spoken(Protocol):
    """A stretch of speech, as a transcript's segments are."""

    @property
    def start_s(self) -> float:
        """Where it begins, in seconds on the clock of the input."""
        ...

    @property
    def end_s(self) -> float:
        """Where it ends, in seconds on the clock of the input."""
        ...

    @property
    def text(self) -> str:
        """What is said."""
        ...

    @property
    def words(self) -> tuple[Word, ...]:
        """With their times; there may be none."""
        ...


@dataclass(frozen=True)
class Cue:
    """A subtitle.

    Attributes:
        start_s: When it appears, in seconds on the clock of the input, to the millisecond.
        end_s: When it goes; later than `start_s`, and not after the next one appears.
        text: In one line.
        lines: At most two, of at most 42 columns each; a Chinese letter takes two columns.
    """

    start_s: float
    end_s: float
    text: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class _Piece:
    """What no line break may part: a word with the space before it, or a letter of Chinese."""

    start_s: float
    end_s: float
    text: str


def cut_subtitles(segments: Sequence[Spoken], duration_s: float) -> tuple[Cue, ...]:
    """Cut segments into subtitles.

    Long segments part where words end, where they can at the end of a sentence or phrase; without
    word times, time goes by letters. No subtitle is empty, without length, or over another one.

    Args:
        segments: In order of time.
        duration_s: Length of the input in seconds.
    """
    groups: list[tuple[float, float, list[_Piece]]] = []
    for segment in segments:
        groups += _cut(segment)
    spans = separate([(start_s, end_s) for start_s, end_s, _ in groups], duration_s)
    return tuple(
        Cue(start_s, end_s, _text_of(pieces), _lines_of(pieces))
        for (start_s, end_s), (_, _, pieces) in zip(spans, groups, strict=True)
    )


def separate(spans: Sequence[tuple[float, float]], duration_s: float) -> list[tuple[float, float]]:
    """Round times to milliseconds so that each stretch has a length and none lies over the next.

    Args:
        spans: Start and end of each, in seconds, in order of their starts.
        duration_s: Length of the input in seconds; no stretch is lengthened beyond it.

    Returns:
        Start and end of each, in seconds; unchanged but for rounding where they were right.
    """
    rounded = [(round(max(0.0, a) * 1000), round(max(0.0, b) * 1000)) for a, b in spans]
    last = max([round(duration_s * 1000), *(end for _, end in rounded)])
    least = max(1, min(LEAST_MS, last // max(1, len(spans))))
    last = max(last, least * len(spans))
    starts, before = [], -least
    for index, (start, _) in enumerate(rounded):
        latest = last - least * (len(rounded) - index)
        before = min(max(start, before + least), latest)
        starts.append(before)
    ends = [
        min(max(end, start + least), following)
        for start, following, (_, end) in zip(starts, [*starts[1:], last], rounded, strict=False)
    ]
    return [(start / 1000, end / 1000) for start, end in zip(starts, ends, strict=True)]


def clean(text: str) -> str:
    """Write a text in one line: runs of blanks are one space, and control characters go."""
    return " ".join("".join(c for c in text if c.isspace() or category(c) not in UNSEEN).split())


def _cut(segment: Spoken) -> list[tuple[float, float, list[_Piece]]]:
    """Return start, end and pieces of each subtitle of a segment; none lasts beyond its words."""
    pieces = _pieces_of(segment)
    groups = _group(pieces)
    if not groups:
        return []
    first_s, last_s = pieces[0].start_s, pieces[-1].end_s
    start_s = first_s if first_s - segment.start_s >= LONG_PAUSE_S else segment.start_s
    end_s = last_s if segment.end_s - last_s >= LONG_PAUSE_S else segment.end_s
    starts = [start_s, *(group[0].start_s for group in groups[1:])]
    stops = [
        following if following - group[-1].end_s < SHORT_PAUSE_S else group[-1].end_s
        for group, following in zip(groups, starts[1:], strict=False)
    ]
    return list(zip(starts, [*stops, end_s], groups, strict=True))


def _group(pieces: list[_Piece]) -> list[list[_Piece]]:
    groups: list[list[_Piece]] = []
    for piece in pieces:
        if not groups or piece.start_s - groups[-1][-1].end_s >= LONG_PAUSE_S:
            groups.append([piece])
        elif _break_lines([*groups[-1], piece]) is not None:
            groups[-1].append(piece)
        else:
            kept = _find_end(groups[-1])
            groups[-1], rest = groups[-1][:kept], groups[-1][kept:]
            groups.append([*rest, piece])
    return groups


def _find_end(group: list[_Piece]) -> int:
    """Return how many pieces a full subtitle keeps: up to the last sentence or phrase in it."""
    for end in (SENTENCE_END, PHRASE_END):
        for kept in range(len(group) - 1, 0, -1):
            parts = columns_of(_text_of(group[:kept])), columns_of(_text_of(group[kept:]))
            if parts[0] < parts[1]:
                break
            if end.search(group[kept - 1].text):
                return kept
    return len(group)


def _text_of(pieces: Sequence[_Piece]) -> str:
    return "".join(piece.text for piece in pieces).strip()


def _lines_of(pieces: list[_Piece]) -> tuple[str, ...]:
    return _break_lines(pieces) or (_text_of(pieces),)


def _break_lines(pieces: list[_Piece]) -> tuple[str, ...] | None:
    """Return one line, or two that are about as long; None where they would be too long."""
    whole = _text_of(pieces)
    if columns_of(whole) <= LINE_COLUMNS:
        return (whole,)
    pairs = [(_text_of(pieces[:at]), _text_of(pieces[at:])) for at in range(1, len(pieces))]
    if columns_of(whole) > LINES * LINE_COLUMNS + 1 or not pairs:
        return None
    longest, best = min((max(map(columns_of, pair)), pair) for pair in pairs)
    return best if longest <= LINE_COLUMNS else None


def _pieces_of(segment: Spoken) -> list[_Piece]:
    text = clean(segment.text)
    ends = _word_ends(text, segment.words) or [(len(text), segment.start_s, segment.end_s)]
    pieces: list[_Piece] = []
    begin = 0
    for end, start_s, end_s in ends:
        pieces += _part(text[begin:end], start_s, max(start_s, end_s))
        begin = end
    return _join_bound(pieces)


def _word_ends(text: str, words: Sequence[Word]) -> list[tuple[int, float, float]]:
    """Return where each word ends in the text, and its times; nothing where one is not in it."""
    found, place = [], 0
    for word in words:
        said = clean(word.text)
        at = text.find(said, place)
        if at < 0:
            return []
        place = at + len(said)
        found.append((place, word.start_s, word.end_s))
    if found:
        found[-1] = (len(text), *found[-1][1:])
    return found


def _part(text: str, start_s: float, end_s: float) -> list[_Piece]:
    """Cut text where lines may break, and share its time out by letters."""
    parts: list[str] = []
    for word in re.findall(r"\s*\S+\s*$|\s*\S+", text):
        long = columns_of(word.strip()) > LINE_COLUMNS
        parts += _clusters_of(word) if long or any(map(is_unspaced, word)) else [word]
    marks, done = [0], 0
    for part in parts:
        done += len(part)
        marks.append(done)
    each_s = (end_s - start_s) / max(1, done)
    return [
        _Piece(start_s + begin * each_s, start_s + end * each_s, part)
        for (begin, end), part in zip(pairwise(marks), parts, strict=True)
    ]


def _clusters_of(word: str) -> list[str]:
    first, *rest = split_clusters(word.lstrip())
    return [word[: len(word) - len(word.lstrip())] + first, *rest]


def _join_bound(pieces: list[_Piece]) -> list[_Piece]:
    """Put together what stands without a space in a script that has them, as "twenty" "-one"."""
    joined: list[_Piece] = []
    for piece in pieces:
        if joined and _is_bound(joined[-1].text, piece.text):
            last = joined.pop()
            piece = _Piece(last.start_s, piece.end_s, last.text + piece.text)
        joined.append(piece)
    return joined


def _is_bound(before: str, after: str) -> bool:
    if after[0].isspace() or before[-1].isspace() or is_unspaced(after[0]):
        return False
    return not is_unspaced(before[-1]) and columns_of(before + after) <= LINE_COLUMNS
