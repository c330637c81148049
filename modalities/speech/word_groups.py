"""Which tokens make up a word, and words with the times of their tokens."""

import string
from collections.abc import Callable, Sequence

import numpy as np

from modalities.speech.timed_text import Word

UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "yue"})  # written without spaces
OPENING = "\"'“¡¿([{-"
CLOSING = "\"'.。,，!！?？:：”)]}、"
BROKEN = "\ufffd"  # what stands for a part of a letter

Spell = Callable[[list[int]], str]
Group = tuple[str, int]  # text and count of tokens


def split_words(spell: Spell, tokens: Sequence[int], language: str = "en") -> list[Group]:
    """Group text tokens into words.

    Args:
        spell: Gives the text of tokens.
        tokens: Text tokens alone.
        language: Its code; some are written without spaces, and parted letter by letter.

    Returns:
        Each word as it stands in the text, its leading space and punctuation included, and its
        token count.

    Source:
        openai/whisper, tokenizer.py and timing.py.
    """
    groups = _split_letters(spell, tokens)
    if language not in UNSPACED:
        groups = _join_at_spaces(groups)
    return _join_closing(_join_opening(groups))


def _split_letters(spell: Spell, tokens: Sequence[int]) -> list[Group]:
    """Cut tokens wherever they spell whole letters."""
    whole = spell(list(tokens))
    groups: list[Group] = []
    waiting: list[int] = []
    done = 0
    for token in tokens:
        waiting.append(token)
        text = spell(waiting)
        at = done + text.find(BROKEN)
        # The sound itself may hold that sign.
        if BROKEN not in text or at >= len(whole) or whole[at] == BROKEN:
            groups.append((text, len(waiting)))
            waiting = []
            done += len(text)
    return groups


def _join_at_spaces(groups: Sequence[Group]) -> list[Group]:
    words: list[Group] = []
    for text, count in groups:
        apart = text.startswith(" ") or text.strip() in string.punctuation
        if apart or not words:
            words.append((text, count))
        else:
            words[-1] = (words[-1][0] + text, words[-1][1] + count)
    return words


def _join_opening(groups: Sequence[Group]) -> list[Group]:
    """Put what opens a quotation or a bracket to the word after it."""
    words: list[Group] = []
    for text, count in reversed(groups):
        if words and text.startswith(" ") and text.strip() in OPENING:
            words[-1] = (text + words[-1][0], count + words[-1][1])
        else:
            words.append((text, count))
    return words[::-1]


def _join_closing(groups: Sequence[Group]) -> list[Group]:
    """Put punctuation that follows a word to it."""
    words: list[Group] = []
    for text, count in groups:
        if words and not words[-1][0].endswith(" ") and text in CLOSING:
            words[-1] = (words[-1][0] + text, words[-1][1] + count)
        else:
            words.append((text, count))
    return words


def time_words(
    spell: Spell, texts: Sequence[Sequence[int]], times: np.ndarray, language: str
) -> list[tuple[Word, ...]]:
    """Give the words of each text their times.

    Args:
        spell: Gives the text of tokens.
        texts: Text tokens of each stretch, in order.
        times: When each token of all texts begins, and where the last one ends, seconds.
        language: Its code.

    Returns:
        One tuple of words per text.
    """
    found, at = [], 0
    for text in texts:
        words = []
        for piece, count in split_words(spell, text, language):
            words.append(Word(float(times[at]), float(times[at + count]), piece))
            at += count
        found.append(tuple(words))
    return found
