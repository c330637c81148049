"""Which detected speech the words of a window leave out, and how words found there are put in."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, islice, pairwise, takewhile

from modalities.speech.timed_text import TimedText, Word

Stretch = tuple[float, float]  # seconds from the window's start

MISSED_S = 1.0  # speech without words that is longer has been passed over
PAUSE_S = 2.0  # a longer one parts a stretch of text in two
EDGE_S = 0.3  # how far a word may lie outside of the stretch that it was looked for in
LONGEST_WORD_S, LETTER_S = 1.0, 0.15  # a word takes at most the longer of a second and its letters
SQUEEZED_S = 0.05  # nobody says a word in less
SLOW_WORD_S = 0.6  # so much of speech without words may be that of one squeezed word beside it
DOUBLE = 2  # so many words at an edge were heard twice when they are the same on both sides


def shorten(words: Sequence[Word], speech: Sequence[Stretch] = ()) -> tuple[Word, ...]:
    """Take from words the silence, and the speech of nobody, that alignment stretched them over.

    Args:
        words: Of one stretch of text, in order. A word of more than a second, or 0.15 s a letter,
            keeps its start; the first one its end, where what is left before it may be speech that
            was passed over.
        speech: Detected speech, in order; a word that reaches out of it ends or begins with it.
    """
    short = []
    for number, word in enumerate(words):
        start_s, end_s = _inside(word, speech)
        longest_s = max(LONGEST_WORD_S, LETTER_S * len(word.text.strip()))
        if end_s - start_s > longest_s:
            left_s = end_s - start_s - longest_s
            first = number == 0 and len(words) > 1 and left_s > MISSED_S
            start_s, end_s = (end_s - longest_s, end_s) if first else (start_s, start_s + longest_s)
        short.append(Word(start_s, end_s, word.text))
    return tuple(short)


def _inside(word: Word, speech: Sequence[Stretch]) -> Stretch:
    """Return what of a word's time is speech: the longest part; all of it where none is."""
    parts = [(max(a, word.start_s), min(b, word.end_s)) for a, b in speech]
    parts = [(a, b) for a, b in parts if b > a]
    return max(parts, key=lambda part: part[1] - part[0], default=(word.start_s, word.end_s))


def fit(text: TimedText) -> TimedText:
    """Let a stretch of text begin with its first word and end with its last."""
    if not text.words:
        return text
    return replace(text, start_s=text.words[0].start_s, end_s=text.words[-1].end_s)


def part_at_pauses(text: TimedText) -> list[TimedText]:
    """Cut a stretch of text where its words are more than 2 s apart."""
    words = text.words
    cuts = [n for n, (a, b) in enumerate(pairwise(words), 1) if b.start_s - a.end_s > PAUSE_S]
    if not cuts:
        return [fit(text)]
    edges = pairwise([0, *cuts, len(words)])
    return [stretch_of(words[a:b], text) for a, b in edges]


def stretch_of(words: Sequence[Word], of: TimedText | None = None) -> TimedText:
    """Put words together to a stretch of text, with what else is known of the text they are of."""
    text = "".join(word.text for word in words)
    start_s, end_s = words[0].start_s, words[-1].end_s
    found = TimedText(start_s, end_s, text, tuple(words))
    if of is None:
        return found
    return replace(found, log_probability=of.log_probability, no_speech=of.no_speech)


def spread(texts: Sequence[TimedText], speech: Sequence[Stretch], end_s: float) -> list[TimedText]:
    """Spread words that alignment squeezed to nothing over the speech beside them.

    Where two words or more take no time and more than a second of speech beside them has none, that
    is where they are said, unless it is too long for them. To look for words there would find them
    again.

    Args:
        texts: With their words, in order.
        speech: Detected speech, in order and apart.
        end_s: Where to end.
    """
    words = [word for text in texts for word in text.words]
    for start_s, stop_s in find_missed(speech, words, 0.0, end_s):
        first = next((n for n, w in enumerate(words) if w.start_s >= stop_s), len(words))
        before = first - _count_squeezed(reversed(words[:first]), start_s)
        after = first + _count_squeezed(words[first:], stop_s)
        low, high = (before, first) if first - before >= after - first else (first, after)
        if high - low > 1 and stop_s - start_s <= SLOW_WORD_S * (high - low):
            words[low:high] = _share_out(words[low:high], start_s, stop_s)
    left = iter(words)
    return [fit(replace(text, words=tuple(islice(left, len(text.words))))) for text in texts]


def _count_squeezed(words: Iterable[Word], edge_s: float) -> int:
    """Count the words next to an edge that take no time, from the first one on."""
    beside = takewhile(lambda w: w.end_s - w.start_s < SQUEEZED_S, words)
    return sum(1 for w in beside if abs(w.start_s - edge_s) < EDGE_S)


def _share_out(words: Sequence[Word], start_s: float, end_s: float) -> list[Word]:
    """Give each word a part of a time by its letters."""
    ends = list(accumulate(len(word.text) for word in words))
    rate_s = (end_s - start_s) / ends[-1]
    edges = pairwise([start_s, *(start_s + rate_s * end for end in ends[:-1]), end_s])
    return [Word(a, b, word.text) for word, (a, b) in zip(words, edges, strict=True)]


def put_in(texts: Sequence[TimedText], words: Sequence[Word], of: TimedText) -> list[TimedText]:
    """Put words that were passed over between the others, in order of time.

    Args:
        texts: With their words. One that goes on after the words is parted there.
        words: One at least, in order.
        of: The text that they are from, or one that the same pass wrote.
    """
    start_s = words[0].start_s
    parted = []
    for text in texts:
        before = [word for word in text.words if word.start_s < start_s]
        after = text.words[len(before) :]
        parted += [stretch_of(part, text) for part in (before, after) if part]
    new = part_at_pauses(stretch_of(words, of))
    return sorted([*parted, *new], key=lambda text: text.start_s)


def find_missed(
    speech: Sequence[Stretch], words: Sequence[Word], start_s: float, end_s: float
) -> list[Stretch]:
    """Find speech of more than a second that no word covers.

    Args:
        speech: Detected speech, in order and apart.
        words: In order.
        start_s: Where to begin to look.
        end_s: Where to end.
    """
    return [part for part in _left(speech, words, start_s, end_s) if part[1] - part[0] > MISSED_S]


def _left(
    speech: Sequence[Stretch], words: Sequence[Word], start_s: float, end_s: float
) -> Iterator[Stretch]:
    for a, b in speech:
        at, stop = max(a, start_s), min(b, end_s)
        for word in words:
            if word.end_s > at and word.start_s < stop:
                yield at, min(word.start_s, stop)
                at = max(at, word.end_s)
        yield at, stop


def without_doubles(
    words: Sequence[Word], stretch: Stretch, known: Sequence[Word]
) -> tuple[Word, ...]:
    """Keep of words that were looked for in a stretch what is not known already.

    Args:
        words: What was found there, with a little of what is around it.
        stretch: Where it was looked for.
        known: All words of the window, in order.
    """
    start_s, end_s = stretch
    found = [w for w in words if start_s - EDGE_S <= (w.start_s + w.end_s) / 2 <= end_s + EDGE_S]
    middle_s = (start_s + end_s) / 2
    before = [w for w in known if (w.start_s + w.end_s) / 2 < middle_s]
    after = [w for w in known if (w.start_s + w.end_s) / 2 >= middle_s]
    most_before = max(DOUBLE, _count_squeezed(reversed(before), start_s))
    most_after = max(DOUBLE, _count_squeezed(after, end_s))
    said = [_letters(word) for word in found]
    first = _shared([_letters(word) for word in before[-most_before:]], said)
    last = len(said) - _shared(said[first:][-most_after:], [_letters(word) for word in after])
    return tuple(found[first : max(first, last)])


def _shared(left: Sequence[str], right: Sequence[str]) -> int:
    """Return how many words end the one and begin the other."""
    counts = range(min(len(left), len(right)), 0, -1)
    return next((n for n in counts if list(left[-n:]) == list(right[:n])), 0)


def _letters(word: Word) -> str:
    return re.sub(r"[\W_]+", "", word.text).casefold()
