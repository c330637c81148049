"""Where a line of text may break, and how many columns text takes."""

import unicodedata

JOINERS = "\u200c\u200d"
LEADING_VOWELS = "\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4"  # Thai, Lao
THAI_FOLLOWING = "\u0e30\u0e32\u0e33\u0e45\u0e46\u0eb0\u0eb2\u0eb3"
NOT_FIRST = THAI_FOLLOWING + "、。，．！？：；）」』】〉》ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
VIRAMA = 9  # Unicode's combining class of marks that bind the next letter
UNSPACED = "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"


def split_clusters(word: str) -> list[str]:
    """Part a word where a line may break in need: not before marks, nor inside a syllable."""
    clusters: list[str] = []
    for letter in word:
        last = clusters[-1][-1] if clusters else ""
        bound = (
            unicodedata.category(letter).startswith("M")
            or letter in JOINERS + NOT_FIRST
            or (last and last in JOINERS + LEADING_VOWELS)
            or (last and unicodedata.combining(last) == VIRAMA)
        )
        if clusters and bound:
            clusters[-1] += letter
        else:
            clusters.append(letter)
    return clusters


def is_unspaced(letter: str) -> bool:
    """Tell whether the letter's script is written without spaces between words."""
    return is_wide(letter) or unicodedata.name(letter, "").startswith(UNSPACED)


def is_wide(letter: str) -> bool:
    """Tell whether the letter takes two columns, as Chinese ones do."""
    return unicodedata.east_asian_width(letter) in ("W", "F")


def columns_of(text: str) -> int:
    """Count columns: two for each wide letter, none for marks, one for any other."""
    if text.isascii():
        return len(text)
    return sum(
        2 if is_wide(letter) else unicodedata.category(letter) not in ("Mn", "Me", "Cf")
        for letter in text
    )
