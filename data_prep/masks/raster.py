"""PNG, TIFF, JPEG and other pictures as they are stored: upright, and with their full depth."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

LOSSY = frozenset({"JPEG", "MPO", "WEBP", "JPEG2000", "AVIF"})
ORIENTATION = 274  # tag of EXIF
# What turns a stored picture upright, by EXIF's number: mirrored, then a quarter turns to the left.
TURNS = {2: (1, 0), 3: (0, 2), 4: (1, 2), 5: (1, 1), 6: (0, 3), 7: (1, 3), 8: (0, 1)}


@dataclass(frozen=True)
class Raster:
    """A picture's stored values.

    Attributes:
        values: [height, width] or, in colours, [height, width, 3]; bool, uint8, uint16, int32 or
            float32, as the file has them.
        format: Pillow's name of the format, as "PNG".
        note: What was made of it that is not plain, "" if nothing.
        count: How many pictures the file holds.
        turn: EXIF's number of how it was stored; 1, upright, where the file does not say it.
    """

    values: np.ndarray
    format: str
    note: str = ""
    count: int = 1
    turn: int = 1

    @property
    def lossy(self) -> bool:
        """Whether the format may change values."""
        return self.format in LOSSY


def read_raster(path: str | Path, indices: bool = False) -> Raster:
    """Read a picture's first page, turned upright as its EXIF tag says.

    Args:
        path: Any format that Pillow knows.
        indices: Of a picture with a palette, return the numbers and not the colours.

    Returns:
        Its values. What is transparent is blended with black; CMYK becomes RGB.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no picture, damaged, or too large for Pillow (over 178 million pixels).
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; expected a picture.")
    with _named_errors(path):
        from PIL import Image

        # By a name, Pillow maps a plain TIFF into memory, as if a quarter turn were done already.
        with path.open("rb") as file, Image.open(file) as picture:
            # A phone's JPEG may carry a second, smaller picture of the same.
            count = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)
            note = "CMYK turned into RGB" if picture.mode == "CMYK" else ""
            deep = picture.mode in ("RGB", "RGBA", "LA") and ";16" in _codec_of(picture)
            stored = picture.getexif().get(ORIENTATION, 1)
            picture.load()  # Pillow tells what is damaged; OpenCV prints it and goes on
            if picture.format == "PNG":
                _check_sums(path)
            values = _deep_colours(path) if deep else _values_of(picture, indices)
            # Both libraries turn a TIFF as they read it, and Pillow takes its tag out then.
            left = picture.getexif().get(ORIENTATION, 1)
            kind = picture.format or ""
    return Raster(_turn(values, left), kind, note, count, stored)


def has_orientation(path: str | Path) -> bool:
    """Say whether a file has the EXIF tag that tells which way up it was stored."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return ORIENTATION in picture.getexif()
    except (OSError, SyntaxError, ValueError):  # DICOM, and what else Pillow does not read
        return False


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Tell every way in which Pillow finds a file damaged by one kind of error, with its name."""
    from PIL import UnidentifiedImageError
    from PIL.Image import DecompressionBombError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, and odd tags
            yield
    except MemoryError:
        raise
    except DecompressionBombError as error:
        raise ValueError(
            f"{path} has more pixels than are read ({str(error).partition(',')[0]}). Make it "
            "smaller, or cut it into pieces."
        ) from error
    except UnidentifiedImageError:
        raise _unreadable(path, "its format is unknown") from None
    except Exception as error:  # its readers raise SyntaxError, struct.error, IndexError, ...
        told = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise _unreadable(path, told) from error


def _unreadable(path: Path, why: str) -> ValueError:
    return ValueError(
        f"{path} cannot be read as a picture ({why}); expected PNG, TIFF, JPEG or another. It is "
        "damaged or something else: get or save it anew."
    )


def _check_sums(path: Path) -> None:
    """Check what a PNG keeps to tell damage by; Pillow passes it over, and shows noise or black."""
    from PIL import Image

    with Image.open(path) as picture:
        picture.verify()


def _codec_of(picture: "Image") -> str:
    """Return how pixels are packed in the file, as "RGB;16B"."""
    tiles = getattr(picture, "tile", None)
    return str(tiles[0][3]) if tiles else ""


def _deep_colours(path: Path) -> np.ndarray:
    """Read colours of 16 bits, which Pillow cuts to 8."""
    import cv2

    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        raise ValueError("its 16-bit colours cannot be decoded")
    if values.ndim == 2:
        return values
    colours = values[..., 2::-1]  # OpenCV has blue first
    if values.shape[2] == 4:
        alpha = values[..., 3:].astype(np.uint32)
        colours = ((colours * alpha + 32767) // 65535).astype(np.uint16)
    return np.ascontiguousarray(colours)


def _values_of(picture: "Image", indices: bool) -> np.ndarray:
    from PIL import Image

    mode = picture.mode
    if mode == "P" and indices or mode in ("1", "L", "I", "F") or mode.startswith("I;16"):
        values = np.array(picture)
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        black = Image.new("RGBA", picture.size, (0, 0, 0, 255))
        picture = Image.alpha_composite(black, picture)
    return np.array(picture.convert("RGB"))


def _turn(values: np.ndarray, orientation: int) -> np.ndarray:
    if orientation not in TURNS:
        return values
    mirrored, quarters = TURNS[orientation]
    flipped = values[:, ::-1] if mirrored else values
    return np.ascontiguousarray(np.rot90(flipped, quarters))
