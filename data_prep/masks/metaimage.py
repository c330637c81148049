"""MetaImage pictures (.mhd with .raw or .zraw), in which CAMUS and other clinical data come."""

import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SUFFIX = ".mhd"
TYPES = {
    "MET_UCHAR": "u1",
    "MET_CHAR": "i1",
    "MET_USHORT": "u2",
    "MET_SHORT": "i2",
    "MET_UINT": "u4",
    "MET_INT": "i4",
    "MET_FLOAT": "f4",
}
AS_READ = {"u1": np.uint8, "u2": np.uint16, "f4": np.float32}  # all others become int32


@dataclass(frozen=True)
class MetaImage:
    """A picture's stored values.

    Attributes:
        values: The first picture, [height, width]; uint8, uint16, int32 or float32.
        spacing_mm: Height and width of a pixel, None where the header does not say it.
        count: How many pictures the file holds.
    """

    values: np.ndarray
    spacing_mm: tuple[float, float] | None
    count: int


def read_metaimage(path: str | Path) -> MetaImage:
    """Read the first picture of a .mhd file, whose values lie in a file that it names.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, has colours, or its values are not where it says.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; expected a picture.")
    try:
        header = _read_header(path)
        width, height, *more = (int(word) for word in header["DimSize"].split())
        if int(header.get("ElementNumberOfChannels", "1")) != 1 or width < 1 or height < 1:
            raise ValueError("it has colours, or no size")
        values = _read_values(path, header, width * height).reshape(height, width)
    except (KeyError, ValueError, OSError, zlib.error) as error:
        told = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"{path} cannot be read as a MetaImage ({' '.join(told.split())}); expected a header "
            "with DimSize, ElementType and ElementDataFile, and that file. Get it anew."
        ) from error
    return MetaImage(values, _read_spacing(header), int(np.prod(more)))


def _read_spacing(header: dict[str, str]) -> tuple[float, float] | None:
    """Return height and width of a pixel, or None where the header says none that can be."""
    try:
        width, height = (float(word) for word in header.get("ElementSpacing", "").split()[:2])
    except ValueError:
        return None
    known = all(math.isfinite(side) and side > 0 for side in (height, width))
    return (height, width) if known else None


def _read_header(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="ascii").splitlines()
    parts = (line.partition("=") for line in lines if "=" in line)
    return {key.strip(): value.strip() for key, _, value in parts}


def _read_values(path: Path, header: dict[str, str], count: int) -> np.ndarray:
    """Return as many values as the first picture has."""
    kind = TYPES[header["ElementType"]]
    big = header.get("BinaryDataByteOrderMSB", header.get("ElementByteOrderMSB", "False"))
    data = (path.parent / header["ElementDataFile"]).read_bytes()
    if header.get("CompressedData", "False").lower() == "true":
        data = zlib.decompress(data)
    stored = np.dtype(("<", ">")[big.lower() == "true"] + kind)
    if len(data) < count * stored.itemsize:
        raise ValueError(f"{len(data)} bytes, and {count * stored.itemsize} expected")
    return np.frombuffer(data, stored, count).astype(AS_READ.get(kind, np.int32))
