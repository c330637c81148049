"""Does a mouth move, and does it move with the sound?

Two things are measured on the aligned crops of a face. *Activity*: how much more the mouth moves
than eyes and forehead, which a turning head moves alike. *Match*: a small linear map guesses the
loudness of eight bands of the sound from the mouth, and the guess is correlated with what is
heard. The score is `activity * (0.4 + 0.6 * match)`: a still mouth never talks, whatever is heard;
a moving mouth may talk even where noise hides the voice; of two moving mouths the one that fits
wins. So a lone face that chews, laughs or is dubbed over is taken for a talker. A face that does
not move, or only as a whole as a photo does, is none, whatever it scores (see `stillness`).
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from data_prep.faces.stillness import measure_changes
from modalities.rates import SAMPLES_PER_PICTURE, VIDEO_RATE_HZ

WEIGHTS = Path(__file__).parent / "weights" / "mouth_to_sound.safetensors"
BAND_EDGES_HZ = (100, 300, 600, 1000, 1500, 2200, 3200, 4500, 7500)
CONTEXT = (-3, -1, 0, 1, 3)
LAGS = (-1, 0, 1)
# Rows and columns of the crop, shrunk to 16x16, that hold lips, chin and cheeks.
ROWS, COLUMNS = slice(3, 14), slice(2, 14)
LIP_ROWS, LIP_COLUMNS = slice(6, 13), slice(4, 12)
LEAST_CONTRAST = 4.0  # grey levels; less is noise
LEAST_MOTION = 0.3  # grey levels a frame; GRID's talkers have 0.7 and more in the upper face
MOST_RATIO = 4.0
LEAST_FRAMES = 2 * max(LAGS) + 3  # of which a correlation is taken
# Of bending and match together; stills that are panned or zoomed mostly have less, talkers 1.5.
LEAST_BENDING = 0.7
COARSE, FINE = 16, 24  # sides of shrunk crops; the finer one shows the shape of the lips
FINE_LIP_ROWS, FINE_LIP_COLUMNS = slice(9, 20), slice(6, 18)


@dataclass(frozen=True)
class TalkConfig:
    """How the talker is chosen.

    Attributes:
        least_score: Faces that score lower are never taken as the talker. On the clips at hand
            silent faces score below 0.1 and talkers above 0.5.
        still_ratio: Mouth over upper-face motion, mean over frames, of a silent face (0.9).
        talking_ratio: Mouth over upper-face motion from which a mouth counts as fully active;
            talkers have 1.5 to 2.4.
        doubt_frames: So many frames halve the trust in a match; short ones match by chance.
    """

    least_score: float = 0.2
    still_ratio: float = 1.0
    talking_ratio: float = 1.5
    doubt_frames: int = 25


@dataclass
class RunningScore:
    """Score of a track over the pieces of its shot; what is past counts half."""

    value: float = 0.0
    frames: float = 0.0

    def add(self, score: float, frames: int) -> None:
        """Blend in the score of the next piece."""
        past = 0.5 * self.frames
        self.value = (self.value * past + score * frames) / (past + frames)
        self.frames = past + frames


def hear(waveform: np.ndarray) -> np.ndarray:
    """Loudness in eight bands under each video frame.

    Args:
        waveform: float32 [frames * 640], 16 kHz.

    Returns:
        float32 [frames, 8], logarithm of the energy.
    """
    blocks = waveform.reshape(-1, SAMPLES_PER_PICTURE) * np.hanning(SAMPLES_PER_PICTURE)
    power = np.abs(np.fft.rfft(blocks, axis=1)) ** 2  # a bin is 25 Hz wide
    edges = [edge // VIDEO_RATE_HZ for edge in BAND_EDGES_HZ]
    energies = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    return np.log(energies + 1e-12).astype(np.float32)


def normalize_sound(loudness: np.ndarray) -> np.ndarray:
    """Bring the bands to mean 0 and deviation 1 over a piece, the quietest parts cut off.

    Args:
        loudness: [frames, 8], of `hear`.

    Returns:
        float64 [frames, 8].
    """
    floored = np.maximum(loudness.astype(np.float64), loudness.max(axis=0) - 9.0)  # 39 dB
    smoothed = np.stack([_average(band, 3) for band in floored.T], axis=1)
    return (smoothed - smoothed.mean(axis=0)) / (smoothed.std(axis=0) + 0.1)


def describe_mouth(mouths: np.ndarray, repeated: np.ndarray) -> np.ndarray:
    """Brightness and motion of parts of the mouth, left and right taken together.

    Args:
        mouths: uint8 [frames, 96, 96].
        repeated: bool [frames], the picture is the one before.

    Returns:
        float64 [frames, 660]: each frame with some of its neighbours.
    """
    return _describe(_shrink(mouths, COARSE), repeated)


def _describe(coarse: np.ndarray, repeated: np.ndarray) -> np.ndarray:
    pictures = _normalize(coarse[:, ROWS, COLUMNS])
    motion = _steps(pictures, repeated)
    parts = [_fold(pictures - pictures.mean(axis=0)), 3.0 * _fold(motion)]
    frames = np.concatenate(parts, axis=1)  # [frames, 132]
    reach = max(CONTEXT)
    padded = np.pad(frames, ((reach, reach), (0, 0)), "edge")
    return np.concatenate([padded[reach + k : reach + k + len(frames)] for k in CONTEXT], axis=1)


def measure_activity(
    mouths: np.ndarray, upper: np.ndarray, repeated: np.ndarray, config: TalkConfig
) -> float:
    """How much more the mouth moves than the rest of the face.

    Args:
        mouths: uint8 [frames, 96, 96].
        upper: uint8 [frames, 48, 48], eyes and forehead of the same frames.
        repeated: bool [frames], the picture is the one before.
        config: What is still and what is active.

    Returns:
        0 (still, or moving with the head) to 1.
    """
    ratios = _motion_ratios(_shrink(mouths, COARSE), _shrink(upper, COARSE), repeated)
    return _activity(ratios, config)


def _motion_ratios(coarse: np.ndarray, upper: np.ndarray, repeated: np.ndarray) -> np.ndarray:
    """Motion of the lips over that of the upper face, [frames]; both [frames, 16, 16]."""
    # In plain grey levels: camera noise is alike in both, whatever their contrast.
    lips = _steps(_level(coarse[:, LIP_ROWS, LIP_COLUMNS]), repeated)
    rest = _steps(_level(upper), repeated)
    ratios = lips.mean(axis=(1, 2)) / np.maximum(rest.mean(axis=(1, 2)), LEAST_MOTION)
    # Frame by frame, and bounded: a moment of strong head motion must not outweigh all else.
    return np.minimum(ratios, MOST_RATIO)


def _activity(ratios: np.ndarray, config: TalkConfig) -> float:
    span = config.talking_ratio - config.still_ratio
    return float(np.clip((ratios.mean() - config.still_ratio) / span, 0.0, 1.0))


def measure_match(mouths: np.ndarray, loudness: np.ndarray, repeated: np.ndarray) -> float:
    """Correlation of the sound with what the mouth lets expect, mean over bands.

    Args:
        mouths: uint8 [frames, 96, 96].
        loudness: [frames, 8], of `hear`.
        repeated: bool [frames], the picture is the one before.

    Returns:
        -1 to 1, the best over one frame of delay either way.
    """
    if len(mouths) < LEAST_FRAMES:
        return 0.0
    return _match(describe_mouth(mouths, repeated) @ load_mapping(), normalize_sound(loudness))


def _match(guess: np.ndarray, sound: np.ndarray) -> float:
    frames = len(guess)
    return max(
        _correlation(
            guess[max(0, -lag) : frames - max(0, lag)], sound[max(0, lag) : frames + min(0, lag)]
        )
        for lag in LAGS
    )


class Evidence:
    """What tells whether a face talks, of all frames of a track, to be asked of any part of it.

    Args:
        mouths: uint8 [frames, 96, 96].
        upper: uint8 [frames, 48, 48], eyes and forehead of the same frames.
        loudness: [frames, 8], of `hear`.
        repeated: bool [frames], the picture is the one before.
        config: Settings.
    """

    def __init__(
        self,
        mouths: np.ndarray,
        upper: np.ndarray,
        loudness: np.ndarray,
        repeated: np.ndarray,
        config: TalkConfig,
    ):
        self.config = config
        coarse, rest = _shrink(mouths, COARSE), _shrink(upper, COARSE)
        self.ratios = _motion_ratios(coarse, rest, repeated)  # [frames]
        self.guess: np.ndarray | None = None  # [frames, 8]
        if len(mouths) >= LEAST_FRAMES:
            self.guess = _describe(coarse, repeated) @ load_mapping()
            self.sound = normalize_sound(loudness)
        lips = _shrink(mouths, FINE)[:, FINE_LIP_ROWS, FINE_LIP_COLUMNS]
        self.changes = measure_changes(lips, rest, repeated)

    def score(self, part: slice = slice(None)) -> float:
        """How likely the face is the one that talks in some of its frames, 0 to 1."""
        activity = _activity(self.ratios[part], self.config)
        if activity == 0:
            return 0.0
        frames = len(self.ratios[part])
        trust = frames / (frames + self.config.doubt_frames)
        return activity * (0.4 + 0.6 * trust * max(0.0, self.match(part)))

    def score_turn(self, part: slice) -> float:
        """The same of a stretch of speech, and 0 for a picture that only moves as a whole."""
        bending = self.changes.bending(part)
        if bending + max(0.0, self.match(part)) < LEAST_BENDING:
            return 0.0
        return self.score(part)

    def is_still(self, part: slice) -> bool:
        """Tell whether the lips keep their shape: a photo, a frozen picture, a closed mouth."""
        return self.changes.is_still(part)

    def match(self, part: slice = slice(None)) -> float:
        """Correlation of the sound with what the mouth lets expect, -1 to 1."""
        if self.guess is None or len(self.guess[part]) < LEAST_FRAMES:
            return 0.0
        return _match(self.guess[part], self.sound[part])


def score_talking(
    mouths: np.ndarray,
    upper: np.ndarray,
    loudness: np.ndarray,
    repeated: np.ndarray,
    config: TalkConfig,
) -> float:
    """How likely a face is the one that talks.

    Args:
        mouths: uint8 [frames, 96, 96].
        upper: uint8 [frames, 48, 48], eyes and forehead of the same frames.
        loudness: [frames, 8], of `hear`.
        repeated: bool [frames], the picture is the one before.
        config: Settings.

    Returns:
        0 to 1.
    """
    return Evidence(mouths, upper, loudness, repeated, config).score()


def fit_mapping(
    features: list[np.ndarray], sounds: list[np.ndarray], ridge_per_frame: float = 0.8
) -> np.ndarray:
    """Fit the linear map from mouth to sound, in closed form.

    The map that ships was fitted on the training clips of GRID's talker 1 (CC BY 4.0).

    Args:
        features: One array a clip, [frames, 660], from `describe_mouth`.
        sounds: One array a clip, [frames, 8], from `normalize_sound`; as many frames as its
            features.
        ridge_per_frame: Penalty on large weights, for each frame of training.

    Returns:
        float32 [660, 8].
    """
    inputs, targets = np.concatenate(features), np.concatenate(sounds)
    inputs = inputs - inputs.mean(axis=0)
    penalty = ridge_per_frame * len(inputs) * np.eye(inputs.shape[1])
    return np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ targets).astype(np.float32)


@cache
def load_mapping() -> np.ndarray:
    """The map from mouth to sound, float32 [660, 8]."""
    from safetensors.numpy import load_file

    return load_file(WEIGHTS)["mouth_to_sound"]


def _shrink(pictures: np.ndarray, side: int) -> np.ndarray:
    small = [cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in pictures]
    return np.stack(small).astype(np.float64)


def _level(pictures: np.ndarray) -> np.ndarray:
    """Take out the light of each picture."""
    return pictures - pictures.mean(axis=(1, 2), keepdims=True)


def _normalize(pictures: np.ndarray) -> np.ndarray:
    """Take out the light of each picture and the contrast of all."""
    return _level(pictures) / (pictures.std() + LEAST_CONTRAST)


def _steps(pictures: np.ndarray, repeated: np.ndarray) -> np.ndarray:
    """Change since the picture before; a repeated picture keeps the change of its original."""
    steps = np.abs(np.diff(pictures, axis=0, prepend=pictures[:1]))
    first_new = np.flatnonzero(~repeated[1:])
    if len(first_new) == 0:
        return np.zeros_like(steps)
    origin = np.where(repeated, 0, np.arange(len(steps)))
    origin[: first_new[0] + 1] = first_new[0] + 1
    return steps[np.maximum.accumulate(origin)]


def _fold(pictures: np.ndarray) -> np.ndarray:
    """Average left and right, then flatten: [frames, height * width / 2]."""
    half = pictures.shape[2] // 2
    return ((pictures + pictures[:, :, ::-1]) / 2)[:, :, :half].reshape(len(pictures), -1)


def _average(signal: np.ndarray, width: int) -> np.ndarray:
    window = np.hanning(width + 2)[1:-1]
    padded = np.pad(signal, width // 2, "edge")
    return np.convolve(padded, window / window.sum(), "valid")


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Mean over columns of the correlation of two arrays [frames, columns]."""
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    scale = np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
    return float(((first * second).sum(axis=0) / np.maximum(scale, 1e-9)).mean())
