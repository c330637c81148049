"""DICOM pictures as a radiologist sees them: rescaled, windowed, bright where they are to be."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modalities.extras import import_extra

SUFFIXES = frozenset({".dcm", ".dicom", ".ima"})
CENTIMETRES = 3  # code of a physical unit in regions of ultrasound
MM_PER_CM = 10.0
# Files of many pictures keep these in groups, for all pictures or for each.
GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
IN_GROUPS = frozenset(
    "PixelSpacing RescaleSlope RescaleIntercept WindowCenter WindowWidth VOILUTFunction".split()
)


@dataclass(frozen=True)
class DicomPicture:
    """What a file holds, and how it is meant to be shown.

    Attributes:
        stored: The first picture's values as they are stored, [height, width] or, in colours,
            [height, width, 3].
        dataset: pydicom's, of which the tags are read.
        count: How many pictures the file holds.
    """

    stored: np.ndarray
    dataset: Any
    count: int = 1


def is_dicom(path: str | Path) -> bool:
    """Return whether a file is DICOM, by its name or by its mark; False where there is none."""
    path = Path(path)
    if path.suffix.lower() in SUFFIXES:
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_dicom(path: str | Path) -> DicomPicture:
    """Read the first picture of a file.

    Args:
        path: A DICOM file with pixel data. Colours come as RGB, whatever the file stores.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no DICOM, has no picture, is damaged, or is packed in a way for which a
            further library is needed; or pydicom is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; expected a DICOM picture.")
    pydicom = import_extra("pydicom", "segmentation", "DICOM pictures")
    pixels = import_extra("pydicom.pixels", "segmentation", "DICOM pictures")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is odd in a file and does no harm
            dataset = pydicom.dcmread(path)
            count = int(dataset.get("NumberOfFrames") or 1)
            # Turns YBR into RGB, and leaves the tag as it was: never convert by the tag after this.
            stored = pixels.pixel_array(dataset, index=0)
            if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
                stored = _to_bytes(pixels.apply_color_lut(stored, dataset))
            _lift_groups(dataset)
    except Exception as error:  # many kinds, from the reader, the tags and the decoders
        told = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(
            f"{path} cannot be read as a DICOM picture ({told[:200]}); expected one with pixel "
            "data. It is damaged or another kind of file, or pydicom needs a decoder for it: "
            "pip install 'pylibjpeg[all]'."
        ) from error
    return DicomPicture(stored, dataset, count)


def _lift_groups(dataset: Any) -> None:
    """Put what the groups say of the first picture where files of one picture have it."""
    for name in GROUPS:
        first = next(iter(dataset.get(name) or ()), ())
        for group in first:
            for element in group.value[0] if group.VR == "SQ" and group.value else ():
                if element.keyword in IN_GROUPS and element.keyword not in dataset:
                    setattr(dataset, element.keyword, element.value)


def _to_bytes(colours: np.ndarray) -> np.ndarray:
    return (colours >> 8).astype(np.uint8) if colours.dtype == np.uint16 else colours


def brightness_of(
    picture: DicomPicture, window: tuple[float, float] | None = None
) -> tuple[np.ndarray, str]:
    """Return what is to be seen, float32 in 0 to 1, and what there is to say about it.

    Args:
        picture: As read.
        window: Centre and width, in the units that the file rescales its values to (HU in CT);
            None: the file's first window or table, and without these all from the darkest to the
            brightest value.

    Raises:
        ValueError: The window has no width; what the tags say of values is damaged.
    """
    data = picture.dataset
    if picture.stored.ndim == 3:
        # Of a palette the tag tells the bits of its numbers, not of its colours.
        bits = 8 if picture.stored.dtype == np.uint8 else int(data.BitsStored)
        return picture.stored.astype(np.float32) / (2**bits - 1), ""
    pixels = import_extra("pydicom.pixels", "segmentation", "DICOM pictures")
    with _damaged("rescaling"):
        values = pixels.apply_modality_lut(picture.stored, data).astype(np.float64)
        if not np.isfinite(values).all():
            raise ValueError("values become endless")
    note = ""
    if window is not None:
        shown = apply_window(values, *window)
    elif data.get("VOILUTSequence"):
        with _damaged("table of values"):
            shown = _apply_table(values, data)
    elif data.get("WindowCenter") is not None and data.get("WindowWidth") is not None:
        with _damaged("window"):
            centre, width = (_first(data[name].value) for name in ("WindowCenter", "WindowWidth"))
        shown = apply_window(values, centre, width, str(data.get("VOILUTFunction") or "LINEAR"))
    else:
        note = "no window, so all values are shown"
        shown = _stretch(values, picture)
    if data.get("PhotometricInterpretation") == "MONOCHROME1":  # its lowest value is white
        shown = 1.0 - shown
    return shown.astype(np.float32), note


@contextmanager
def _damaged(what: str) -> Iterator[None]:
    """Tell by one kind of error what tags say that pydicom, or we, cannot take for numbers."""
    try:
        yield
    except Exception as error:  # of many kinds, by what stands in them
        told = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(
            f"The file's {what} cannot be read ({told[:200]}); expected numbers. Mend its tags, or "
            "get it anew."
        ) from error


def apply_window(
    values: np.ndarray, centre: float, width: float, function: str = "LINEAR"
) -> np.ndarray:
    """Map values to 0 to 1 by a window, as DICOM defines it.

    Args:
        values: After rescaling, any shape.
        centre: Value that becomes 0.5, in the same units.
        width: Stretch of values from 0 to 1; LINEAR takes 1 or more, the others any above 0.
        function: LINEAR, LINEAR_EXACT or SIGMOID.

    Raises:
        ValueError: The width is too small, or one of the two is no finite number.

    Source:
        DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3.
    """
    if not (math.isfinite(centre) and math.isfinite(width)):
        raise ValueError(
            f"The window is {centre:g}, {width:g}; expected finite numbers. Give centre and width, "
            "as 40 and 400."
        )
    least = 1.0 if function == "LINEAR" else 0.0
    if not width > 0 or width < least:
        raise ValueError(
            f"The window's width is {width:g}; expected more than 0 (1 or more of LINEAR). Give "
            "centre and width, as 40 and 400."
        )
    if function == "SIGMOID":
        return 1.0 / (1.0 + np.exp(-4.0 * (values - centre) / width))
    if function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0.0, 1.0)
    if width == 1.0:
        return (values > centre - 0.5).astype(np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1.0) + 0.5, 0.0, 1.0)


def _apply_table(values: np.ndarray, data: Any) -> np.ndarray:
    pixels = import_extra("pydicom.pixels", "segmentation", "DICOM pictures")
    bits = int(data.VOILUTSequence[0].LUTDescriptor[2])
    table = pixels.apply_voi_lut(values.astype(np.int64), data, prefer_lut=True)
    return np.clip(table / (2.0**bits - 1.0), 0.0, 1.0)


def _stretch(values: np.ndarray, picture: DicomPicture) -> np.ndarray:
    padding = picture.dataset.get("PixelPaddingValue")
    real = values if padding is None else values[picture.stored != padding]
    if real.size == 0 or real.min() == real.max():
        return np.zeros_like(values)
    return np.clip((values - real.min()) / (real.max() - real.min()), 0.0, 1.0)


def _first(value: Any) -> float:
    """Return a number, or the first of several windows."""
    return float(
        value[0] if hasattr(value, "__getitem__") and not isinstance(value, str) else value
    )


def spacing_of(data: Any) -> tuple[float, float] | None:
    """Return height and width of a pixel in mm, or None where the tags do not say it.

    Of X-rays without a calibrated spacing it is that at the detector, where things are larger than
    in the body; of ultrasound that of the one region that is in centimetres. Damaged tags say
    nothing; the picture is good without.
    """
    try:
        sides = _read_spacing(data)
    except Exception:  # of many kinds, by what stands in the tags
        return None
    known = sides is not None and all(math.isfinite(side) and side > 0 for side in sides)
    return sides if known else None


def _read_spacing(data: Any) -> tuple[float, float] | None:
    for name in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        value = data.get(name)
        if value is not None and len(value) == 2:
            return float(value[0]), float(value[1])  # rows apart, then columns
    found = set()
    for region in data.get("SequenceOfUltrasoundRegions") or ():
        units = (region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection"))
        if units == (CENTIMETRES, CENTIMETRES):
            found.add((float(region.PhysicalDeltaY), float(region.PhysicalDeltaX)))
    if len(found) != 1:
        return None
    height, width = found.pop()
    return abs(height) * MM_PER_CM, abs(width) * MM_PER_CM
