"""Text normalisers by name: word error rates are comparable under one and the same only.

Each one reads text in the one form of `tasks.scoring.text_form`, so that typographic quotes, dashes
and spaces never count as errors.
"""

import re
import string
import unicodedata
from collections.abc import Callable
from functools import cache

from tasks.scoring.text_form import unify_text

Normaliser = Callable[[str], str]
# What whisper-normalizer 0.1.15 expands and openai-whisper 20250625 does not.
NOT_OPENAIS = (r"\bkinda\b", r"\bsorta\b", r"\bdunno\b", r"\bcause\b")
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
    return unify_text(text).lower()


def strip_punctuation(text: str) -> str:
    """Lower the case, leave out punctuation of any script and collapse spaces.

    "Don't" becomes "dont", "¿Qué?" "qué".

    Args:
        text: As written.

    Source:
        The scoring of Simic et al., AVSR-AV_Fusion_Module_for_Pre-Trained_ASR, utils/utils.py.
    """
    kept = (c for c in unify_text(text) if not _is_punctuation(c))
    return " ".join("".join(kept).lower().split())


def normalise_as_whisper(text: str) -> str:
    """Normalise as openai-whisper 20250625 does: fillers out, numbers as digits, American spelling.

    Of text in ASCII the words are those of OpenAI's EnglishTextNormalizer; typographic marks are
    read as the ASCII that they stand for. The letter O counts as a zero there and numbers in a row
    are joined, so that "o two" becomes "02": take "grid" where letters are spelled. Three dots at
    the end leave a ".", as they do there.

    Args:
        text: As written.

    Source:
        Whisper (arXiv 2212.04356), appendix C; the package whisper-normalizer.
    """
    return " ".join(_whisper()(unify_text(text)).split())


def normalise_as_whisper_basic(text: str) -> str:
    """Normalise as openai-whisper does for languages other than English.

    Lower case, no punctuation, symbols or anything in brackets. Marks go as well, and with them the
    vowel signs of Hindi, Bengali or Thai: take "lower" for these.

    Args:
        text: As written.

    Source:
        Whisper (arXiv 2212.04356), appendix C; openai-whisper's BasicTextNormalizer.
    """
    return " ".join(_whisper_basic()(unify_text(text)).split())


def normalise_grid(text: str) -> str:
    """Normalise as Whisper's authors do, but word by word, so that spelled letters stay letters.

    GRID's "f two" and a model's "F2", "F-2" or "F 2" are all "f 2"; "o two" stays "o 2", and "two
    two" stays two words. "Oh" is the letter O: GRID calls its digit zero.

    Args:
        text: As written.
    """
    apart = LETTER_THEN_DIGIT.sub(" ", unify_text(text).lower()).replace("-", " ")
    words = " ".join(_normalise_word(word) for word in ANNOTATION_OR_WORD.findall(apart)).split()
    return " ".join(word for word in words if word != ".")  # what "wait..." leaves at its end


def _normalise_word(word: str) -> str:
    return "o" if word.strip(string.punctuation) in LETTER_O else normalise_as_whisper(word)


@cache
def _whisper() -> Normaliser:
    from whisper_normalizer.english import EnglishTextNormalizer

    normaliser = EnglishTextNormalizer()
    for pattern in NOT_OPENAIS:
        normaliser.replacers.pop(pattern, None)
    return normaliser


@cache
def _whisper_basic() -> Normaliser:
    from whisper_normalizer.basic import BasicTextNormalizer

    return BasicTextNormalizer()


def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")


NORMALISERS: dict[str, Normaliser] = {
    "whisper": normalise_as_whisper,
    "basic": normalise_as_whisper_basic,
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
