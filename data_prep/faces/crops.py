"""Cut an upright, equally large picture of the mouth out of a frame."""

from collections.abc import Sequence

import cv2
import numpy as np

from modalities.rates import CROP_SIDE

# Right eye, left eye, nose tip and mouth centre of a mean face 256 pixels wide, from the mouth:
# 72 pixels between the eyes make a crop of 96 span mouth, chin and nose, as in AV-HuBERT.
MEAN_FACE = np.array([[-36.0, -74.0], [36.0, -74.0], [0.0, -36.0], [0.0, 0.0]])
MOUTH = 3
UPPER_FACE = (0.0, -80.0)


def fit_similarity(landmarks: np.ndarray, layout: np.ndarray) -> np.ndarray:
    """Turn and scale that bring landmarks nearest to a layout, by least squares.

    Args:
        landmarks: [..., points, 2].
        layout: [points, 2].

    Returns:
        float64 [..., 2, 2]; its columns have equal length and right angles, without mirroring.

    Raises:
        ValueError: All landmarks of a face lie on one point.

    Source:
        Umeyama, Least-squares estimation of transformation parameters between two point
        patterns, PAMI 1991; in the plane a complex division.
    """
    places = np.asarray(landmarks) @ [1.0, 1.0j]
    source = places - places.mean(axis=-1, keepdims=True)
    target = (layout - layout.mean(axis=0)) @ [1.0, 1.0j]
    spread = (np.abs(source) ** 2).sum(axis=-1)
    if not np.all(spread > 0):
        flat = np.asarray(landmarks)[~(spread > 0)].reshape(-1, *np.shape(layout))[0]
        raise ValueError(f"Landmarks {flat.tolist()} lie on one point; expected a face.")
    factor = (source.conj() * target).sum(axis=-1) / spread
    rows = np.stack([factor.real, -factor.imag, factor.imag, factor.real], axis=-1)
    return rows.reshape(*factor.shape, 2, 2)


def mouth_transform(
    landmarks: np.ndarray, side: int = CROP_SIDE, centre: tuple[float, float] = (0.0, 0.0)
) -> np.ndarray:
    """The affine map from a frame to a crop.

    Args:
        landmarks: [..., 4, 2], right eye, left eye, nose tip, mouth centre.
        side: Side of the crop in pixels.
        centre: Point of the mean face at the centre of the crop, from the mouth.

    Returns:
        float64 [..., 2, 3], from pixels of the frame to pixels of the crop.
    """
    turn = fit_similarity(landmarks, MEAN_FACE)
    middle = (side - 1) / 2
    mouth = np.asarray(landmarks)[..., MOUTH, :, None]
    shift = middle - np.asarray(centre)[:, None] - turn @ mouth
    return np.concatenate([turn, shift], axis=-1)


def crop_mouth(gray: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Cut the mouth out of a frame, upright, centred and in standard size.

    Args:
        gray: uint8 [height, width].
        landmarks: [4, 2], right eye, left eye, nose tip, mouth centre, in pixels.

    Returns:
        uint8 [96, 96]; beyond the border of the frame its edge is repeated.
    """
    return warp(gray, mouth_transform(landmarks), CROP_SIDE)


def crop_faces(
    grays: Sequence[np.ndarray], landmarks: np.ndarray, with_upper: bool = True
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Cut a face out of several frames.

    Args:
        grays: Frames, uint8 [height, width].
        landmarks: [frames, 4, 2], as for `crop_mouth`.
        with_upper: Whether eyes and forehead are wanted, too.

    Returns:
        Of each frame the crop of `crop_mouth`; and eyes and forehead, which move with the head but
        not with speech, uint8 [48, 48], at half the scale, or none of them.
    """
    mouths = mouth_transform(landmarks)
    uppers = mouths / 2
    uppers[..., 2] -= np.asarray(UPPER_FACE) / 2
    pairs = zip(grays, uppers, strict=True) if with_upper else ()
    return (
        [warp(*pair, CROP_SIDE) for pair in zip(grays, mouths, strict=True)],
        [warp(*pair, CROP_SIDE // 2) for pair in pairs],
    )


def warp(gray: np.ndarray, transform: np.ndarray, side: int) -> np.ndarray:
    """Draw a square crop through an affine map, averaging pixels where it shrinks strongly.

    Args:
        gray: uint8 [height, width].
        transform: [2, 3], from the frame to the crop.
        side: Side of the crop.

    Returns:
        uint8 [side, side].
    """
    shrinks = int(1.0 / np.hypot(*transform[:, 0]))
    if shrinks >= 2:
        gray, transform = _shrink_around(gray, transform, side, shrinks)
    return cv2.warpAffine(
        gray, transform, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _shrink_around(
    gray: np.ndarray, transform: np.ndarray, side: int, shrinks: int
) -> tuple[np.ndarray, np.ndarray]:
    """Average blocks of `shrinks` x `shrinks` pixels in the part of the frame that is drawn."""
    inverse = np.linalg.inv(transform[:, :2])
    corners = np.array([[0, 0], [side, 0], [0, side], [side, side]]) - transform[:, 2]
    corners = corners @ inverse.T
    height, width = gray.shape
    limit = np.array([width, height]) - shrinks
    start = np.clip(np.floor(corners.min(axis=0)) - shrinks, 0, np.maximum(limit, 0)).astype(int)
    stop = np.ceil(corners.max(axis=0)).astype(int) + shrinks
    blocks = np.maximum((np.clip(stop, start + shrinks, (width, height)) - start) // shrinks, 1)
    stop = start + blocks * shrinks
    part = gray[start[1] : stop[1], start[0] : stop[0]]
    small = cv2.resize(part, blocks.tolist(), interpolation=cv2.INTER_AREA)
    # Centre of small pixel p is at source pixel start + shrinks * p + (shrinks - 1) / 2.
    turn = transform[:, :2] * shrinks
    shift = transform[:, 2] + transform[:, :2] @ (start + (shrinks - 1) / 2)
    return small, np.concatenate([turn, shift[:, None]], axis=1)


def is_inside(landmarks: np.ndarray, height: int, width: int) -> np.ndarray:
    """Tell where the mouth lies inside the picture.

    Args:
        landmarks: x, y in pixels of the picture, [..., 4, 2].
        height: Rows of the picture; a mouth at y = height - 1 is still inside.
        width: Columns of the picture; a mouth at x = width - 1 is still inside.

    Returns:
        bool [...].
    """
    x, y = landmarks[..., MOUTH, 0], landmarks[..., MOUTH, 1]
    return (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
