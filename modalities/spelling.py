"""What a misspelled name may have been meant as."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """Return a sentence with the known name that is most alike, after a space; "" for none."""
    alike = get_close_matches(str(name), [str(one) for one in known], 1)
    return f" Did you mean {alike[0]!r}?" if alike else ""
