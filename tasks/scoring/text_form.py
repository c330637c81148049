"""One form of text before any normaliser: what only looks different is written alike."""

import re
import unicodedata

# Typesetters' marks, and the ASCII that a keyboard has for them. Some stand here although NFKC
# knows them: it takes an acute accent apart into a space and a combining mark.
ALIKE = str.maketrans(
    {
        mark: "'"
        for mark in "\u2018\u2019\u201a\u201b\u2032\u2039\u203a\u00b4\u02b9\u02bb\u02bc\u02bd"
    }
    | {mark: "'" for mark in "\u02c8\u055a\u05f3\u07f4\u2035\u275b\u275c\ua78c\uff07"}
    | {mark: '"' for mark in "\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u02ba\u05f4\u301d"}
    | {mark: '"' for mark in "\u275d\u275e\u301e\u301f"}
    | {mark: "-" for mark in "\u058a\u05be\u1806\u2010\u2011\u2012\u2013\u2212\u2043\ufe58"}
    | {mark: "--" for mark in "\u2014\u2015\u2e3a\u2e3b"}
    | {"\u2044": "/", "\u2215": "/", "\u02dc": "~", "\u301c": "~", "\u2122": "", "\u2120": ""}
    | {"\u22ef": "..."}
)
FILLERS = frozenset("\u034f\u115f\u1160\u3164\uffa0")  # drawn as nothing, though not of "format"
MIXED_NUMBER = re.compile(r"(?<=\d)(?=[\u00bc-\u00be\u2150-\u215e\u2189])")  # 2½ is no 21/2
FRENCH_BLANK = re.compile(  # inside guillemets
    "(?<=[\u00ab\u2039])[\u00a0\u2009\u202f]|[\u00a0\u2009\u202f](?=[\u00bb\u203a])"
)
DASHES = re.compile(r"-{2,}")
JOINING_ELLIPSIS = re.compile(r"(?<=[^\W\d_])\.{3}(?=[^\W\d_])")


def unify_text(text: str) -> str:
    """Write alike what differs in typesetting only; words, case and punctuation stay.

    Quotes and apostrophes become straight ones, dashes hyphens, the ellipsis three dots, and
    letters their NFKC form: ligatures, full-width and decomposed ones. Byte-order marks, soft
    hyphens, zero-width spaces and marks of direction go. Any run of spaces, tabs and line breaks
    is one space, with none at the ends, nor inside guillemets where it is a hard one. A long dash,
    or an ellipsis, between two words parts them.

    Args:
        text: A transcript as it was found; any script.
    """
    if not text.isascii():
        spaced = MIXED_NUMBER.sub(" ", FRENCH_BLANK.sub("", text))
        visible = "".join(c for c in spaced if not _is_invisible(c))
        text = unicodedata.normalize("NFKC", visible.translate(ALIKE)).translate(ALIKE)
    parted = JOINING_ELLIPSIS.sub("... ", DASHES.sub(" - ", text))
    return " ".join(parted.split())


def _is_invisible(character: str) -> bool:
    if character.isascii():
        return False
    is_selector = "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
    return is_selector or character in FILLERS or unicodedata.category(character) == "Cf"
