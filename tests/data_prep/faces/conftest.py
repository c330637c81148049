"""Pictures, clips and a detector that finds white squares, for the tests of the face stage."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest


@dataclass(frozen=True)
class Shown:
    """A picture as the face stage takes it."""

    pixels: np.ndarray
    repeated: bool = False

    def gray(self) -> np.ndarray:
        return self.pixels


@dataclass(frozen=True)
class Squares:
    boxes: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray


class SquareDetector:
    """Takes each white square for a face: eyes, nose and mouth where a face has them."""

    side = 320
    places = np.array([[0.3, 0.3], [0.7, 0.3], [0.5, 0.5], [0.5, 0.75], [0.0, 0.4], [1.0, 0.4]])

    def __init__(self):
        self.pictures = 0

    def __call__(self, images: Sequence[np.ndarray]) -> list[Squares]:
        self.pictures += len(images)
        return [self._find(image) for image in images]

    def _find(self, image: np.ndarray) -> Squares:
        white = (image[..., 0] > 220).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(white)
        boxes = np.array([s[:4] for s in stats[1:] if s[4] > 100], np.float32).reshape(-1, 4)
        keypoints = boxes[:, None, :2] + self.places * boxes[:, None, 2:]
        return Squares(boxes, keypoints.astype(np.float32), np.full(len(boxes), 0.9, np.float32))


@pytest.fixture
def square_detector() -> SquareDetector:
    return SquareDetector()


@pytest.fixture
def draw() -> Callable[..., np.ndarray]:
    """Draw white squares (x, y, side) on a background of a given pattern."""

    def draw_squares(*squares: tuple[int, int, int], scene: int = 0) -> np.ndarray:
        pattern = np.random.default_rng(scene).integers(20, 180, (6, 8), np.uint8)
        picture = cv2.resize(pattern, (320, 240), interpolation=cv2.INTER_NEAREST)
        for x, y, side in squares:
            picture[max(y, 0) : max(y + side, 0), max(x, 0) : max(x + side, 0)] = 255
        return picture

    return draw_squares


@pytest.fixture
def show() -> Callable[..., list[Shown]]:
    return lambda pictures, repeated=None: [
        Shown(pixels, bool(repeated is not None and repeated[i]))
        for i, pixels in enumerate(pictures)
    ]


@pytest.fixture(scope="session")
def detector():
    import torch

    from modalities.vision import load_face_detector

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small batches: more threads wait for each other on a busy machine
    yield load_face_detector("full")
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def read_clip() -> Callable[[Path], tuple[list[Shown], np.ndarray]]:
    """Pictures at 25 Hz and the sound of a file, equally long."""
    from data_prep.media import read_audio, stream_video

    @cache
    def read(path: Path) -> tuple[list[Shown], np.ndarray]:
        pictures = [Shown(f.gray(), f.repeated) for f in stream_video(path)]
        waveform = read_audio(path)[: 640 * len(pictures)]
        return pictures, np.pad(waveform, (0, 640 * len(pictures) - len(waveform)))

    return read


@pytest.fixture(scope="session")
def grid(shared_data: Path) -> list[Path]:
    """Clips of GRID's talker 1, of which none served to fit the talking score."""
    import json

    names = json.loads((shared_data / "grid/splits.json").read_text())["test"]
    clips = [path for name in names for path in (shared_data / "grid/s1").glob(f"{name}.*")]
    if not clips:
        pytest.skip("no GRID clips beside the project")
    return clips


@pytest.fixture(scope="session")
def other_talkers(shared_data: Path) -> list[Path]:
    clips = sorted((shared_data / "grid_talkers").glob("*.mpg"))
    if not clips:
        pytest.skip("no clips of other GRID talkers beside the project")
    return clips
