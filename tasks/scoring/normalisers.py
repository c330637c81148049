"""Text normalisers by name: word error rates are comparable under one and the same only."""

import re
import string
from collections.abc import Callable
from functools import cache

Normaliser = Callable[[str], str]
NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
ANNOTATION_OR_WORD = re.compile(r"[<\[][^>\]]*[>\]]|\([^)]+\)|\S+")  # "[music playing]" is one
LETTER_THEN_DIGIT = re.compile(r"(?<=[a-z])[^a-z0-9\s]*(?=[0-9])")
LETTER_O = ("o", "oh")


def split_words(text: str) -> str:
    """Lower the case and collapse spaces; punctuation stays part of its word.

    Args:
        text: As written.

    Source:
        AV-HuBERT's and Auto-AVSR's scoring.
    """
    return " ".join(text.lower().split())


def strip_punctuation(text: str) -> str:
    """Lower the case, leave out ASCII punctuation and collapse spaces; "don't" becomes "dont".

    Args:
        text: As written.

    Source:
        The scoring of Simic et al., AVSR-AV_Fusion_Module_for_Pre-Trained_ASR, utils/utils.py.
    """
    return split_words(text.translate(NO_PUNCTUATION))


def normalise_as_whisper(text: str) -> str:
    """Normalise as Whisper's authors do: fillers out, numbers as digits, American spelling.

    The letter O counts as a zero there and numbers in a row are joined, so that "o two" becomes
    "02": take "grid" where letters are spelled.

    Args:
        text: As written.

    Source:
        Whisper (arXiv 2212.04356), appendix C; the package whisper-normalizer.
    """
    return " ".join(_whisper()(text).split())


def normalise_grid(text: str) -> str:
    """Normalise as Whisper's authors do, but word by word, so that spelled letters stay letters.

    GRID's "f two" and a model's "F2", "F-2" or "F 2" are all "f 2"; "o two" stays "o 2", and "two
    two" stays two words. "Oh" is the letter O: GRID calls its digit zero.

    Args:
        text: As written.
    """
    apart = LETTER_THEN_DIGIT.sub(" ", text.lower()).replace("-", " ")
    words = (_normalise_word(word) for word in ANNOTATION_OR_WORD.findall(apart))
    return " ".join(word for word in words if word)


def _normalise_word(word: str) -> str:
    return "o" if word.strip(string.punctuation) in LETTER_O else normalise_as_whisper(word)


@cache
def _whisper() -> Normaliser:
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()


NORMALISERS: dict[str, Normaliser] = {
    "whisper": normalise_as_whisper,
    "lower": strip_punctuation,
    "split": split_words,
    "grid": normalise_grid,
}


def find_normaliser(name: str) -> Normaliser:
    """Return a normaliser by its name.

    Args:
        name: A key of `NORMALISERS`.

    Raises:
        ValueError: No such normaliser.
    """
    if name not in NORMALISERS:
        raise ValueError(f"No normaliser {name!r}; known: {', '.join(NORMALISERS)}.")
    return NORMALISERS[name]
