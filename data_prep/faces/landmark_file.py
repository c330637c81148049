"""Read the landmarks of a face that a user brings."""

import json
from pathlib import Path

import numpy as np

from modalities.text_file import read_text

# dlib's 68 points: right eye, left eye, nose base, mouth.
DLIB_GROUPS = (slice(36, 42), slice(42, 48), slice(31, 36), slice(48, 68))


def reduce_landmarks(landmarks: np.ndarray) -> np.ndarray:
    """Turn landmarks of a known kind into right eye, left eye, nose and mouth.

    Args:
        landmarks: [frames, 4, 2] or [frames, 68, 2].

    Returns:
        float64 [frames, 4, 2], NaN in all of a frame where any point is missing.

    Raises:
        ValueError: Another shape.
    """
    points = np.asarray(landmarks)
    if points.ndim != 3 or points.shape[1] not in (4, 68) or points.shape[2] != 2:
        raise ValueError(
            f"Landmarks have shape {points.shape}; expected [frames, 4, 2] (right eye, left eye, "
            f"nose, mouth) or [frames, 68, 2] (dlib).{_likeness(points.shape)}"
        )
    points = points.astype(np.float64)
    points[~np.isfinite(points)] = np.nan
    if points.shape[1] == 68:
        points = np.stack([points[:, group].mean(axis=1) for group in DLIB_GROUPS], axis=1)
    flat = np.ptp(points, axis=1).max(axis=1) == 0  # all on one point: no face either
    points[~np.isfinite(points).all(axis=(1, 2)) | flat] = np.nan
    return points


def _likeness(shape: tuple[int, ...]) -> str:
    """Say what landmarks of another shape look like; nothing where that is not known."""
    if shape in ((4, 2), (68, 2)):
        return " They look like a single frame: give one row per frame."
    if len(shape) != 3:
        return ""
    if shape[1] in (4, 68) and shape[2] == 3:
        return " They look like x, y and a third number: leave that out."
    known = {
        5: "RetinaFace's or MTCNN's five: give the middle of the two mouth corners",
        6: "BlazeFace's six: leave out the ears",
        468: "MediaPipe's mesh: average those of each eye, the nose and the mouth",
        478: "MediaPipe's mesh: average those of each eye, the nose and the mouth",
    }
    return f" They look like {known[shape[1]]}." if shape[1] in known else ""


def load_landmarks(path: str | Path) -> np.ndarray:
    """Read a landmark file.

    Args:
        path: .npy, .npz with one array, or .json with nested lists (null where missing).

    Returns:
        float64 [frames, 4, 2], NaN where missing.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Another kind of file, or another shape.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no landmark file {path}.")
    readers = {".npy": _read_npy, ".npz": _read_npz, ".json": _read_json}
    if path.suffix.lower() not in readers:
        raise ValueError(f"Landmark file {path} is not one of {', '.join(readers)}.")
    try:
        landmarks = readers[path.suffix.lower()](path)
    except (ValueError, TypeError, OSError, EOFError) as error:
        raise ValueError(f"Landmark file {path} cannot be read: {error}") from error
    return reduce_landmarks(landmarks)


def _read_npy(path: Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)


def _read_npz(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as arrays:
        if len(arrays.files) != 1:
            raise ValueError(f"it holds {len(arrays.files)} arrays ({arrays.files}); expected one")
        return arrays[arrays.files[0]]


def _read_json(path: Path) -> np.ndarray:
    rows = json.loads(read_text(path))
    if not isinstance(rows, list):
        raise ValueError("it is not a list of frames")
    shape = next((np.shape(row) for row in rows if row is not None), (4, 2))
    missing = np.full(shape, np.nan)
    return np.array([missing if row is None else row for row in rows], np.float64)
