"""What lies where in CTranslate2's model.bin, the format of faster-whisper; loads no torch."""

import math
import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path

NEWEST_BINARY_VERSION = 6
OLDEST_BINARY_VERSION = 2  # the first one that names its model
TYPES = ("float32", "int8", "int16", "int32", "float16", "bfloat16")  # by their codes
BYTES = {"float32": 4, "int8": 1, "int16": 2, "int32": 4, "float16": 2, "bfloat16": 2}
TYPES_BY_SIZE = {4: "float32", 2: "int16", 1: "int8"}  # before version 4
HEAD_DIM = 64  # of every Whisper; older files do not store the number of heads
EXPECTED = "expected a complete CTranslate2 model.bin. Convert or download the model again."


@dataclass(frozen=True)
class Entry:
    """Where a variable lies.

    Attributes:
        dtype: Its type, one of `TYPES`.
        shape: Its axes; none of a single number.
        offset: Its first byte in the file.
    """

    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class ModelIndex:
    """The contents of a model.bin.

    Attributes:
        name: What the variables are for, such as "WhisperSpec".
        revision: A number that CTranslate2 raises when such variables are laid out anew.
        entries: By the names of the variables, aliases too.
        contents: The file, mapped.
    """

    name: str
    revision: int
    entries: dict[str, Entry]
    contents: mmap.mmap = field(repr=False)


def read_index(path: Path) -> ModelIndex:
    """Read what a model.bin holds and check it up to its last byte.

    Args:
        path: The file; it is mapped, not copied.

    Raises:
        OSError: The file cannot be read.
        ValueError: Another format, a version that is not known, truncated, or too long.

    Source:
        CTranslate2, python/ctranslate2/specs/model_spec.py and src/models/model.cc.
    """
    with path.open("rb") as file:
        if not file.seek(0, 2):
            raise ValueError(f"{path} is empty; {EXPECTED}")
        # Torch warns of memory it may not write to; a private mapping never changes the file.
        contents = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return _Reader(path, contents).read()


class _Reader:
    def __init__(self, path: Path, contents: mmap.mmap):
        self.path = path
        self.contents = contents
        self.position = 0

    def read(self) -> ModelIndex:
        version = self._number("I")
        if not OLDEST_BINARY_VERSION <= version <= NEWEST_BINARY_VERSION:
            raise self._damage(f"has the version {version}, not {NEWEST_BINARY_VERSION} or below")
        name, revision = self._text(), self._number("I")
        entries = dict(self._variable(version) for _ in range(self._number("I")))
        if version >= 3:
            for _ in range(self._number("I")):
                self._alias(entries)
        if rest := len(self.contents) - self.position:
            raise self._damage(f"goes on for {rest} bytes after its end")
        return ModelIndex(name, revision, entries, self.contents)

    def _damage(self, what: str) -> ValueError:
        return ValueError(f"{self.path} {what}; {EXPECTED}")

    def _take(self, size: int) -> int:
        start = self.position
        if start + size > len(self.contents):
            raise self._damage(f"ends before byte {start + size}, in the middle of an entry")
        self.position = start + size
        return start

    def _number(self, kind: str) -> int:
        start = self._take(struct.calcsize(f"<{kind}"))
        return struct.unpack_from(f"<{kind}", self.contents, start)[0]

    def _text(self) -> str:
        size = self._number("H")
        start = self._take(size)
        raw = self.contents[start : start + size]
        if not raw.endswith(b"\0") or not raw[:-1].isascii():
            raise self._damage(f"has no name at byte {start}")
        return raw[:-1].decode()

    def _variable(self, version: int) -> tuple[str, Entry]:
        name = self._text()
        shape = tuple(self._number("I") for _ in range(self._number("B")))
        code, count = self._number("B"), self._number("I")
        dtype = (dict(enumerate(TYPES)) if version >= 4 else TYPES_BY_SIZE).get(code)
        if dtype is None:
            raise self._damage(f"has {name!r} in an unknown type {code}")
        size = count if version >= 4 else count * BYTES[dtype]
        values = math.prod(shape)
        if not values or size != values * BYTES[dtype]:
            raise self._damage(f"gives {name!r} {size} bytes for shape {list(shape)} of {dtype}")
        return name, Entry(dtype, shape, self._take(size))

    def _alias(self, entries: dict[str, Entry]) -> None:
        alias, name = self._text(), self._text()
        if name not in entries:
            raise self._damage(f"lets {alias!r} stand for {name!r}, which is missing")
        entries[alias] = entries[name]
        if f"{name}_scale" in entries:
            entries[f"{alias}_scale"] = entries[f"{name}_scale"]
