"""Text files that people bring: read as the characters that were written, or refused by name."""

import codecs
import shlex
from collections.abc import Iterator
from pathlib import Path

from modalities.text_encodings import SHIFT, UTF_8, Guess, guess_encoding

# Those of 32 bits first: the mark of UTF-16, little endian, is the beginning of theirs.
MARKS = {
    codecs.BOM_UTF8: UTF_8,
    codecs.BOM_UTF32_LE: "UTF-32LE",
    codecs.BOM_UTF32_BE: "UTF-32BE",
    codecs.BOM_UTF16_LE: "UTF-16LE",
    codecs.BOM_UTF16_BE: "UTF-16BE",
}
LONGEST_MARK = 4


def read_text(path: str | Path) -> str:
    r"""Read a text file: UTF-8, or UTF-8, UTF-16 or UTF-32 with a byte order mark.

    Args:
        path: The file; lines may end as on Linux, Windows or old Macs.

    Returns:
        The text, without its byte order mark; lines end with "\n".

    Raises:
        OSError: It cannot be read.
        ValueError: It is in another encoding, damaged, or no text; the message names the file, what
            it looks like and how to convert it.
    """
    return decode_text(Path(path).read_bytes(), path)


def decode_text(data: bytes, name: str | Path) -> str:
    """Decode what `read_text` reads, see there.

    Args:
        data: All bytes of the file.
        name: What a message calls it.
    """
    encoding, start = _find_mark(data)
    return _decode(data[start:], encoding, name).lstrip("\ufeff")  # some programs mark twice


def read_ended_lines(path: str | Path) -> Iterator[str]:
    r"""Read a text file line by line, without a last line that has no end, see `read_lines`."""
    return (line[:-1] for line in read_lines(path) if line.endswith("\n"))


def read_lines(path: str | Path) -> Iterator[str]:
    r"""Read a text file line by line.

    A killed program can leave a line without its end behind, and half a letter at the end of that,
    which is not given.

    Args:
        path: The file, see `read_text`.

    Yields:
        Lines with "\n" at the end, but for a last one that has no end.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no text that `read_text` reads; the lines before have been given then.
    """
    with Path(path).open("rb") as file:
        encoding, start = _find_mark(file.read(LONGEST_MARK))
        file.seek(start)
        # A byte of value 10 is a line's end in UTF-8, and may be half of a letter in UTF-16.
        for block in file if encoding == UTF_8 else [file.read()]:
            rest = b""
            if encoding == UTF_8 and not block.endswith(b"\n"):
                end = block.rfind(b"\r") + 1
                block, rest = block[:end], block[end:]
            yield from _split(_decode(block, encoding, path))
            yield from _split(_decode(_without_half(rest), encoding, path))


def _without_half(data: bytes) -> bytes:
    """Take away the first bytes of a letter of UTF-8 of which the others are missing."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    decoder.decode(data)
    return data.removesuffix(decoder.getstate()[0])


def _split(text: str) -> list[str]:
    r"""Cut a text after each "\n"; `str.splitlines` cuts at form feeds and others, too."""
    *ended, rest = text.split("\n")
    return [f"{line}\n" for line in ended] + ([rest] if rest else [])


def _find_mark(data: bytes) -> tuple[str, int]:
    """Return the encoding that the first bytes name, and where the text starts."""
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            return encoding, len(mark)
    return UTF_8, 0


def _decode(data: bytes, encoding: str, name: str | Path) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != UTF_8:
            raise ValueError(
                f"{name} begins as {encoding} and is not ({error.reason} at byte {error.start}); "
                "expected text. It is cut or damaged: get or save it anew, as UTF-8."
            ) from error
        raise ValueError(_describe(guess_encoding(data), name)) from error
    if "\0" in text or SHIFT.search(data):
        raise ValueError(_describe(guess_encoding(data), name))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _describe(guess: Guess, name: str | Path) -> str:
    remedy = "Save it anew as UTF-8 in the program that it comes from."
    if guess.codec:
        remedy = f"Convert it: iconv -f {guess.codec} -t UTF-8 {shlex.quote(str(name))} > NEW."
    return f"{name} looks like {guess.name}; expected text in UTF-8. {remedy}"
