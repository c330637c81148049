"""The matrices of CTranslate2's model.bin as arrays."""

import mmap

import numpy as np

from modalities.speech.ctranslate2_file import EXPECTED, Entry, ModelIndex


class NumpyWeights:
    """Gives variables in float32, dequantised where they are quantised.

    Args:
        index: What a model.bin holds, and where; the file stays mapped.
    """

    def __init__(self, index: ModelIndex):
        self.index = index

    def weight(self, name: str) -> np.ndarray:
        """Return a variable; it is not to be changed.

        Raises:
            ValueError: There is no such variable.
        """
        entry = self._entry(name)
        values = _read(self.index, entry)
        if entry.dtype in ("int8", "int16"):
            scale = _read(self.index, self._entry(f"{name}_scale"))
            values /= scale.reshape(-1, *[1] * (values.ndim - 1))
        return values

    def stored(self, name: str) -> np.ndarray:
        """Return a variable as the file holds it."""
        return _view(self.index, self._entry(name))

    def release(self) -> None:
        """Give back the memory of what was read; the system reads it again when it is needed.

        The file is in the system's cache, so that this costs little; a process that keeps what it
        has read is larger by that.
        """
        if hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
            self.index.contents.madvise(mmap.MADV_DONTNEED)

    def number(self, name: str) -> int:
        """Return a single whole number."""
        return int(_view(self.index, self._entry(name)))

    def count_layers(self, side: str) -> int:
        """Return how many layers the encoder or the decoder has."""
        layers = 0
        while f"{side}/layer_{layers}/ffn/linear_0/weight" in self.index.entries:
            layers += 1
        return layers

    def rows(self, name: str, numbers: list[int] | slice) -> np.ndarray:
        """Return some rows of a table alone, [numbers, dim]."""
        rows, scale = self.stored_rows(name, numbers)
        rows = rows.astype(np.float32)
        return rows if scale is None else rows / np.reshape(scale, (-1, 1))

    def stored_rows(
        self, name: str, numbers: list[int] | slice
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return rows in float32, float16 or int8, and what they are to be divided by, if anything.

        Returns:
            [numbers, ...] of what the file holds, other types as float32; and [numbers] or [1].
        """
        entry = self._entry(name)
        rows = _view(self.index, entry)[numbers]
        if entry.dtype not in ("float32", "float16", "int8"):
            rows = _to_float32(rows, entry.dtype)
        if entry.dtype not in ("int8", "int16"):
            return rows, None
        scale = _read(self.index, self._entry(f"{name}_scale")).reshape(-1)
        return rows, scale if len(scale) == 1 else scale[numbers]

    def _entry(self, name: str) -> Entry:
        if name not in self.index.entries:
            raise ValueError(f"model.bin has no variable {name!r}; {EXPECTED}")
        return self.index.entries[name]


def _read(index: ModelIndex, entry: Entry) -> np.ndarray:
    return _to_float32(_view(index, entry), entry.dtype)


def _view(index: ModelIndex, entry: Entry) -> np.ndarray:
    dtype = np.dtype("uint16" if entry.dtype == "bfloat16" else entry.dtype)
    found = np.frombuffer(index.contents, dtype, entry.count, entry.offset)
    return found.reshape(entry.shape)


def _to_float32(values: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "bfloat16":  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.float32)
