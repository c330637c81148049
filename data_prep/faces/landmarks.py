"""Landmarks of one face over time: fill the gaps, then smooth."""

import numpy as np


def interpolate(first: np.ndarray, second: np.ndarray, steps: int) -> np.ndarray:
    """Go from one row to the next in equal steps.

    Args:
        first: [...], the row known last; not part of the result.
        second: [...], the row `steps` frames later; the last of the result.
        steps: Number of frames between them.

    Returns:
        [steps, ...].
    """
    weight = np.arange(1, steps + 1).reshape(-1, *[1] * np.ndim(first)) / steps
    return first + weight * (np.asarray(second) - first)


def fill(
    landmarks: np.ndarray, bridge_frames: int = 25, hold_frames: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Fill frames without landmarks from their neighbours, as far as that is honest.

    Args:
        landmarks: [frames, points, 2], NaN where missing.
        bridge_frames: Longest gap between two known frames that is interpolated.
        hold_frames: How far a known frame is copied where only one side is known.

    Returns:
        Landmarks [frames, points, 2] without NaN, and bool [frames], False where they are not to be
        trusted: gaps and borders longer than the limits.
    """
    known = np.flatnonzero(np.isfinite(landmarks).all(axis=(1, 2)))
    if len(known) == 0:
        return np.zeros_like(landmarks), np.zeros(len(landmarks), bool)
    frames = np.arange(len(landmarks))
    flat = landmarks.reshape(len(landmarks), -1)
    filled = np.stack([np.interp(frames, known, column[known]) for column in flat.T], axis=1)
    # Frames since the last known one and until the next one.
    after = np.searchsorted(known, frames)
    nearest_left = known[np.maximum(np.searchsorted(known, frames, "right") - 1, 0)]
    nearest_right = known[np.minimum(after, len(known) - 1)]
    within = (nearest_left <= frames) & (frames <= nearest_right)
    bridged = within & (nearest_right - nearest_left <= bridge_frames)
    distance = np.minimum(abs(frames - nearest_left), abs(frames - nearest_right))
    return filled.reshape(landmarks.shape), bridged | (distance <= hold_frames)


def smooth(landmarks: np.ndarray, radius: int = 6) -> np.ndarray:
    """Average the shape over a centred window, but keep each frame's own position.

    The window shrinks on both sides alike near a border, so it stays centred.

    Args:
        landmarks: [frames, points, 2], one face within one shot.
        radius: Frames on each side of the centre.

    Returns:
        [frames, points, 2].

    Source:
        Auto-AVSR (mpc001/auto_avsr), preparation/detectors/mediapipe/video_process.py.
    """
    frames = np.arange(len(landmarks))
    margin = np.minimum(radius, np.minimum(frames, len(landmarks) - 1 - frames))
    sums = np.cumsum(landmarks, axis=0, dtype=np.float64)
    sums = np.concatenate([np.zeros_like(sums[:1]), sums])
    count = (2 * margin + 1)[:, None, None]
    mean = (sums[frames + margin + 1] - sums[frames - margin]) / count
    return mean + (landmarks - mean).mean(axis=1, keepdims=True)
