"""Text that can be printed and written, whatever bytes names of files and typed words are."""

from collections.abc import Sequence


def printable(text: str) -> str:
    r"""Return a text in which what is no Unicode, as of old file names, stands as "\udce9"."""
    return text.encode(errors="backslashreplace").decode()


def check_words(text: str, which: str, expected: str) -> None:
    """Check a text that somebody typed for a model to read.

    Args:
        text: As typed.
        which: What it is called at the beginning of a message, as "The prompt".
        expected: What should be there, as "what to find, as 'tumor in the breast'".

    Raises:
        ValueError: It is empty, or has letters that are no Unicode.
    """
    if not text.strip():
        raise ValueError(f"{which} is empty; expected {expected}.")
    if printable(text) != text:
        raise ValueError(
            f"{which}, {printable(text)}, has letters that are no Unicode; expected text. Type it "
            "anew, in a terminal that is in UTF-8."
        )


def check_texts(texts: Sequence[str], name: str) -> None:
    """Refuse what is no list of texts: none at all, or one text, which would pass for letters.

    Args:
        texts: As given.
        name: Whoever reads them, as messages call it.

    Raises:
        ValueError: It is one of these.
    """
    if isinstance(texts, str) or not texts:
        raise ValueError(f"{name} was given {texts!r}; expected a list of texts, one or more.")
