"""A copy of a CTranslate2 Whisper in int8, made once and kept, for guesses that are checked.

CTranslate2 makes such a copy itself whenever it loads a model, which takes longer than all else it
does with a short clip.
"""

import shutil
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from modalities.speech.ctranslate2_file import (
    NEWEST_BINARY_VERSION,
    TYPES,
    Entry,
    ModelIndex,
)
from modalities.speech.ctranslate2_folder import (
    VOCABULARIES,
    cache_folder,
    fingerprint,
    is_complete,
)
from modalities.speech.numpy_weights import NumpyWeights
from modalities.whole_file import folder_when_whole

LARGEST = 127
WHOLE = ("int8", "int16", "int32")


def find_draft_folder(folder: Path, index: ModelIndex) -> Path:
    """Return the copy of a model in int8, made first where there is none.

    Args:
        folder: A complete folder of CTranslate2.
        index: What its model.bin holds.

    Returns:
        A folder in the cache of the user; the model's own where that is in int8 already, or where
        the cache cannot be written.
    """
    if index.entries["decoder/layer_0/ffn/linear_0/weight"].dtype == "int8":
        return folder
    kept = cache_folder() / "int8" / fingerprint(folder)
    if is_complete(kept):
        return kept
    try:
        shutil.rmtree(kept, ignore_errors=True)
        with folder_when_whole(kept) as partial:
            for name in ("config.json", *VOCABULARIES):
                if (folder / name).is_file():
                    shutil.copyfile(folder / name, partial / name)
            with (partial / "model.bin").open("wb") as file:
                _write_model(file, index)
    except (OSError, ValueError):  # another program may have made it meanwhile
        return kept if is_complete(kept) else folder
    return kept


def _write_model(file: BinaryIO, index: ModelIndex) -> None:
    """Write a model.bin of the newest version, variable by variable."""
    weights = NumpyWeights(index)
    first = {entry.offset: name for name, entry in reversed(index.entries.items())}
    scales = {f"{name}_scale" for name in index.entries} & set(index.entries)
    own = [name for name in index.entries if first[index.entries[name].offset] == name]
    own = [name for name in own if name not in scales]
    quantised = {name for name in own if _is_matrix(name, index.entries[name])}
    file.write(struct.pack("<I", NEWEST_BINARY_VERSION) + _text(index.name))
    file.write(struct.pack("<II", index.revision, len(own) + len(quantised)))
    for name in own:
        if name in quantised:
            values, scale = _quantise(weights.weight(name))
            _write_variable(file, name, values)
            _write_variable(file, f"{name}_scale", scale)
        else:
            _write_variable(file, name, _plain(weights, name))
    aliases = [(name, first[entry.offset]) for name, entry in index.entries.items()]
    aliases = [(alias, name) for alias, name in aliases if alias != name and alias not in scales]
    file.write(struct.pack("<I", len(aliases)))
    for alias, name in aliases:
        file.write(_text(alias) + _text(name))


def _is_matrix(name: str, entry: Entry) -> bool:
    return name.endswith("/weight") and len(entry.shape) == 2


def _plain(weights: NumpyWeights, name: str) -> np.ndarray:
    """Return what is not quantised: settings as they are, all else in float32."""
    entry = weights.index.entries[name]
    if entry.dtype in WHOLE and f"{name}_scale" not in weights.index.entries:
        return weights.stored(name)
    return weights.weight(name)


def _quantise(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give [rows, dim] in int8, and what it is to be divided by, [rows]."""
    largest = np.abs(values).max(1)
    scale = (LARGEST / np.where(largest > 0, largest, LARGEST)).astype(np.float32)
    return np.rint(values * scale[:, None]).astype(np.int8), scale


def _write_variable(file: BinaryIO, name: str, values: np.ndarray) -> None:
    axes = struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape)
    code = TYPES.index(values.dtype.name)
    file.write(_text(name) + axes + struct.pack("<BI", code, values.nbytes))
    file.write(np.ascontiguousarray(values).data)


def _text(text: str) -> bytes:
    raw = text.encode() + b"\0"
    return struct.pack("<H", len(raw)) + raw
