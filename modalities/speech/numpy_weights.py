"""The matrices of CTranslate2's model.bin as arrays."""

import numpy as np

from modalities.speech.ctranslate2_file import EXPECTED, Entry, ModelIndex

MOST_KEPT = 2**26  # bytes of float32, enough for the decoder of a tiny or base Whisper
KEPT = "decoder/layer_"


class NumpyWeights:
    """Gives variables in float32, dequantised where they are quantised.

    The decoder's layers are read several times for each window, and kept as far as there is room.

    Args:
        index: What a model.bin holds, and where; the file stays mapped.
    """

    def __init__(self, index: ModelIndex):
        self.index = index
        self.kept: dict[str, np.ndarray] = {}
        self.kept_bytes = 0

    def weight(self, name: str) -> np.ndarray:
        """Return a variable; it is not to be changed.

        Raises:
            ValueError: There is no such variable.
        """
        if name in self.kept:
            return self.kept[name]
        values = self._read(name)
        if name.startswith(KEPT) and self.kept_bytes + values.nbytes <= MOST_KEPT:
            self.kept[name] = values
            self.kept_bytes += values.nbytes
        return values

    def _read(self, name: str) -> np.ndarray:
        entry = self._entry(name)
        values = _read(self.index, entry)
        if entry.dtype in ("int8", "int16"):
            scale = _read(self.index, self._entry(f"{name}_scale"))
            values /= scale.reshape(-1, *[1] * (values.ndim - 1))
        return values

    def stored(self, name: str) -> np.ndarray:
        """Return a variable as the file holds it."""
        return _view(self.index, self._entry(name))

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

    def rows(self, name: str, numbers: list[int] | slice) -> np.ndarray:
        """Return some rows of a table alone, [numbers, dim]."""
        rows, scale = self.scaled_rows(name, numbers)
        return rows if scale is None else rows / np.reshape(scale, (-1, 1))

    def scaled_rows(
        self, name: str, numbers: list[int] | slice
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return rows as they are stored, and what they are to be divided by, if anything.

        Returns:
            float32 [numbers, dim], and [numbers] or [1].
        """
        entry = self._entry(name)
        rows = _to_float32(_view(self.index, entry)[numbers], entry.dtype)
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
