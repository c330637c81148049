"""Reader of CTranslate2's model.bin, the format of faster-whisper."""

import math
import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

NEWEST_BINARY_VERSION = 6
OLDEST_BINARY_VERSION = 2  # the first one that names its model
DTYPES = (torch.float32, torch.int8, torch.int16, torch.int32, torch.float16, torch.bfloat16)
SERIAL_VALUES = 32_768  # torch copies up to so many on the calling thread
DTYPES_BY_SIZE = {4: torch.float32, 2: torch.int16, 1: torch.int8}  # before version 4
EXPECTED = "expected a complete CTranslate2 model.bin. Convert or download the model again."


@dataclass(frozen=True)
class CTranslate2Model:
    """The contents of a model.bin.

    Attributes:
        name: What the variables are for, such as "WhisperSpec".
        variables: As stored; their values lie in the mapped file.
    """

    name: str
    variables: dict[str, Tensor] = field(repr=False)

    def weight(self, name: str) -> Tensor:
        """Return a copy of a variable in float32, dequantised where it is quantised.

        Raises:
            ValueError: There is no such variable, or it is quantised in an unknown way.
        """
        if name not in self.variables:
            raise ValueError(f"model.bin has no variable {name!r}; {EXPECTED}")
        stored = self.variables[name]
        values = _to_float32(stored)
        if stored.is_floating_point():
            return values
        scale = self.variables.get(f"{name}_scale")
        if stored.dtype == torch.int32 or scale is None or scale.numel() not in (1, len(values)):
            raise ValueError(
                f"model.bin holds {name!r} as {stored.dtype} without one scale a row; expected "
                "int8, int16, float16, bfloat16 or float32. Convert the model to one of these."
            )
        return values.div_(scale.float().reshape(-1, *[1] * (values.ndim - 1)))


def _to_float32(stored: Tensor) -> Tensor:
    """Copy piece by piece, on one thread.

    Waking a second thread for each of a hundred short copies gains nothing on an idle machine and
    costs half a second on a busy one.
    """
    values = torch.empty(stored.shape)
    sources, targets = (t.view(-1).split(SERIAL_VALUES) for t in (stored, values))
    for source, target in zip(sources, targets, strict=True):
        target.copy_(source)
    return values


def read_model(path: Path) -> CTranslate2Model:
    """Read a model.bin and check it up to its last byte.

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

    def read(self) -> CTranslate2Model:
        version = self._number("I")
        if not OLDEST_BINARY_VERSION <= version <= NEWEST_BINARY_VERSION:
            raise self._damage(f"has the version {version}, not {NEWEST_BINARY_VERSION} or below")
        name, _revision = self._text(), self._number("I")
        variables = dict(self._variable(version) for _ in range(self._number("I")))
        if version >= 3:
            for _ in range(self._number("I")):
                self._alias(variables)
        if rest := len(self.contents) - self.position:
            raise self._damage(f"goes on for {rest} bytes after its end")
        return CTranslate2Model(name, variables)

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

    def _variable(self, version: int) -> tuple[str, Tensor]:
        name = self._text()
        shape = [self._number("I") for _ in range(self._number("B"))]
        code, count = self._number("B"), self._number("I")
        dtype = (dict(enumerate(DTYPES)) if version >= 4 else DTYPES_BY_SIZE).get(code)
        if dtype is None:
            raise self._damage(f"has {name!r} in an unknown type {code}")
        size = count if version >= 4 else count * dtype.itemsize
        values = math.prod(shape)
        if not values or size != values * dtype.itemsize:
            raise self._damage(f"gives {name!r} {size} bytes for shape {shape} of {dtype}")
        start = self._take(size)
        stored = torch.frombuffer(self.contents, dtype=dtype, count=values, offset=start)
        return name, stored.view(shape)

    def _alias(self, variables: dict[str, Tensor]) -> None:
        alias, name = self._text(), self._text()
        if name not in variables:
            raise self._damage(f"lets {alias!r} stand for {name!r}, which is missing")
        variables[alias] = variables[name]
        if f"{name}_scale" in variables:
            variables[f"{alias}_scale"] = variables[f"{name}_scale"]
