"""What a misspelled name may have been meant as, and how many things are told of."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """Return a sentence with the known name that is most alike, after a space; "" for none."""
    alike = get_close_matches(str(name), [str(one) for one in known], 1)
    return f" Did you mean {alike[0]!r}?" if alike else ""


def count_things(number: int, noun: str) -> str:
    """Return a number with its noun, "1 row" or "2 rows".

    Args:
        number: How many there are.
        noun: What one of them is; the first word of more ends in "s", as in "files of features".
    """
    first, *more = noun.split(" ")
    return " ".join([f"{number:,}", first if number == 1 else f"{first}s", *more])
