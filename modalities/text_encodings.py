"""What bytes that are no UTF-8 text look like: a guess for a message, never to read them by."""

import re
from dataclasses import dataclass

UTF_8 = "UTF-8"
HIGH = re.compile(rb"[\x80-\xff]+")
SHIFT = re.compile(rb"\x1b(?:\$[@B]|\([BJI])")  # from ASCII to Japanese and back, in ASCII alone
KANA_SHARE = 0.25  # of the letters of Japanese that are not ASCII; text without kana is hardly any
MOST = 0.8  # of the letters of Cyrillic or Greek are small ones, which lie side by side


@dataclass(frozen=True)
class Guess:
    """What bytes look like.

    Attributes:
        name: For people.
        codec: As iconv and Python know it; None where no converter would help.
    """

    name: str
    codec: str | None = None


def guess_encoding(data: bytes) -> Guess:
    """Guess what bytes are that are not UTF-8, or hold zeros or shifts.

    Args:
        data: All bytes of a file, or of one line.
    """
    if b"\0" in data:
        return _guess_wide(data)
    if SHIFT.search(data):
        return Guess("ISO-2022-JP", "ISO-2022-JP")
    return (
        _guess_damaged(data)
        or _guess_japanese(data)
        or _guess_western(data)
        or _guess_of_high_bytes(b"".join(HIGH.findall(data)), HIGH.findall(data))
    )


def _guess_wide(data: bytes) -> Guess:
    """Tell UTF-16 and UTF-32 without a mark by the zeros of ASCII letters, half of all bytes."""
    few = 2 * data.count(0) < len(data) and data.replace(b"\0", b"").decode("latin-1").isprintable()
    for codec in ("UTF-32LE", "UTF-32BE", "UTF-16LE", "UTF-16BE"):
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        if not few and "\0" not in text and any(letter.isascii() for letter in text):
            return Guess(f"{codec} without a byte order mark", codec)
    return Guess("no text, as it has bytes of value 0")


def _guess_damaged(data: bytes) -> Guess | None:
    """Tell UTF-8 of which a few letters are broken."""
    try:
        data.decode(UTF_8)
        return None
    except UnicodeDecodeError as error:
        at = error.start  # of the letter that is broken, or cut off at the end
    text = data.decode(UTF_8, errors="replace")
    if sum(not letter.isascii() for letter in text) < 2 * text.count("\ufffd"):
        return None
    return Guess(f"UTF-8 that is damaged at byte {at}")


def _guess_japanese(data: bytes) -> Guess | None:
    for name, codec in (("Shift-JIS", "CP932"), ("EUC-JP", "EUC-JP")):
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        letters = [letter for letter in text if not letter.isascii()]
        kana = sum("\u3041" <= letter <= "\u30fe" for letter in letters)
        if kana >= KANA_SHARE * len(letters):
            return Guess(name, codec)
    return None


def _guess_western(data: bytes) -> Guess | None:
    """Tell Latin letters with accents, which are few or stand alone among ASCII."""
    runs = HIGH.findall(data)
    high = sum(map(len, runs))
    plain = sum(bytes([byte]).isalpha() for byte in data)
    alone = sum(len(run) == 1 for run in runs)
    if high >= plain and alone < high / 2:
        return None
    if re.search(rb"[\x80-\x9f]", data):
        return Guess("Windows-1252 (cp1252) or another encoding of one byte a letter", "CP1252")
    return Guess("Latin-1 (ISO 8859-1) or another encoding of one byte a letter", "LATIN1")


def _guess_of_high_bytes(high: bytes, runs: list[bytes]) -> Guess:
    if sum(byte >= 0xE0 for byte in high) >= MOST * len(high):
        return Guess("Windows-1251 or another encoding of Cyrillic or Greek", "CP1251")
    if sum(0xC0 <= byte < 0xE0 for byte in high) >= MOST * len(high):
        return Guess("KOI8-R, an encoding of Cyrillic", "KOI8-R")
    if all(len(run) % 2 == 0 for run in runs):
        return Guess("GB18030, Big5 or EUC-KR, encodings of Chinese and Korean")
    return Guess("no text, or text in an encoding that is not known here")
