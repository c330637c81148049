"""The tensors of CTranslate2's model.bin, the format of faster-whisper."""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from modalities.speech.ctranslate2_file import EXPECTED, Entry, ModelIndex, read_index

SERIAL_VALUES = 32_768  # torch copies up to so many on the calling thread


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
    """Read a model.bin and check it up to its last byte; arguments and errors as `read_index`."""
    index = read_index(path)
    variables = {name: _view(index, entry) for name, entry in index.entries.items()}
    return CTranslate2Model(index.name, variables)


def _view(index: ModelIndex, entry: Entry) -> Tensor:
    dtype: torch.dtype = getattr(torch, entry.dtype)
    offset, count = entry.offset, entry.count
    return torch.frombuffer(index.contents, dtype=dtype, count=count, offset=offset).view(
        entry.shape
    )
