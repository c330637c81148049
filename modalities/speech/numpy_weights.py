"""The matrices of CTranslate2's model.bin as arrays, each copied when it is asked for."""

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
        """Return a copy of a variable.

        Raises:
            ValueError: There is no such variable.
        """
        entry = self._entry(name)
        values = _read(self.index, entry)
        if entry.dtype in ("int8", "int16"):
            scale = _read(self.index, self._entry(f"{name}_scale"))
            values /= scale.reshape(-1, *[1] * (values.ndim - 1))
        return values

    def number(self, name: str) -> int:
        """Return a single whole number."""
        return int(_view(self.index, self._entry(name)))

    def apply(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Send rows through a linear layer: [tokens, inputs] -> [tokens, outputs]."""
        return rows @ self.weight(f"{name}/weight").T + self.weight(f"{name}/bias")

    def normalise(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Send rows through a layer norm: [tokens, dim] -> [tokens, dim]."""
        centred = rows - rows.mean(-1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(-1, keepdims=True) + 1e-5)
        return centred / spread * self.weight(f"{name}/gamma") + self.weight(f"{name}/beta")

    def rows(self, name: str, numbers: list[int]) -> np.ndarray:
        """Return some rows of a table alone, [numbers, dim]."""
        entry = self._entry(name)
        values = _view(self.index, entry)[numbers]
        rows = _to_float32(values, entry.dtype)
        if entry.dtype in ("int8", "int16"):
            scale = _read(self.index, self._entry(f"{name}_scale")).reshape(-1, 1)
            rows /= scale if len(scale) == 1 else scale[numbers]
        return rows

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
