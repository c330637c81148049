"""Text with times: words, stretches of them, and all that a window says."""

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Word:
    """A word and when it is said.

    Attributes:
        start_s: Seconds on the clock of what holds the word: of a window, a piece or a clip its
            start, of a transcript the start of the input.
        end_s: On the same clock, never before `start_s`.
        text: As it stands in the text; with its leading space until it is in a transcript.
    """

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class TimedText:
    """A stretch of text; seconds count from the window's start.

    Attributes:
        start_s: Where it begins.
        end_s: Where it ends.
        text: What is said.
        words: On the same clock; none where they were not aligned.
        log_probability: Mean over the tokens of the pass that wrote it; None where not known.
        no_speech: Probability that nobody speaks, by that pass; None where not known.
    """

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    log_probability: float | None = field(default=None, compare=False)
    no_speech: float | None = field(default=None, compare=False)


@dataclass(frozen=True)
class WindowText:
    """What a window says.

    Attributes:
        segments: In order of time.
        next_s: Where the next window should begin, seconds from this one's start.
    """

    segments: tuple[TimedText, ...]
    next_s: float


def shift(text: TimedText, by_s: float) -> TimedText:
    """Move a stretch of text and its words in time.

    Args:
        text: Counted from a later start, as of a window inside another.
        by_s: Seconds that are added to every time; below 0 moves it back.
    """
    words = tuple(Word(w.start_s + by_s, w.end_s + by_s, w.text) for w in text.words)
    return replace(text, start_s=text.start_s + by_s, end_s=text.end_s + by_s, words=words)
