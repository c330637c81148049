"""Find faces in pictures of any size with BlazeFace, many at a time."""

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modalities.vision.anchors import build_anchors, decode_points
from modalities.vision.blazeface_shapes import SHAPES
from modalities.vision.face_network import FaceNetwork
from modalities.vision.letterbox import Letterbox, letterbox, plan_letterbox

if TYPE_CHECKING:
    import torch

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
SUPPRESSION_OVERLAP = 0.3  # MediaPipe's: above it two boxes are one face
PICTURES_AT_ONCE = 32  # bounds memory; more is no faster


@dataclass(frozen=True)
class Faces:
    """The faces found in one picture, the surest first.

    Attributes:
        boxes: x, y of the top left corner, width, height, in pixels, [faces, 4], float32. A box
            may reach beyond the picture.
        keypoints: x, y in pixels, [faces, 6, 2], float32: right eye, left eye, nose tip, mouth
            centre, right ear, left ear; right is the person's own right.
        scores: From 0 to 1, [faces], float32.
    """

    boxes: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)


class FaceDetector:
    """Faces in pictures: letterbox, BlazeFace, anchors, weighted non-maximum suppression.

    MediaPipe pads a picture to a square, of which the black bars are 44 % at 16:9. Here they end
    at the next line of the network's grid: the same faces, keypoints within about a pixel of the
    network's input, in two thirds of the time.

    Args:
        network: What scores the anchors.
        range_: Which network it is, "short" or "full".
        threshold: The least score of a face.

    Attributes:
        side: The longer side of the network's input, pixels.
        grid: Both sides of the network's input are multiples of this.

    Raises:
        ValueError: The threshold is no score.
    """

    def __init__(self, network: FaceNetwork, range_: str, threshold: float = 0.5):
        if not 0 < threshold < 1:
            raise ValueError(f"Threshold is {threshold}; expected a score between 0 and 1.")
        self.network = network
        self.range = range_
        self.side = SHAPES[range_].side
        self.grid = SHAPES[range_].grid
        self.threshold = threshold

    def __call__(self, images: Sequence[np.ndarray] | np.ndarray) -> list[Faces]:
        """Find the faces of each picture.

        Args:
            images: RGB pictures, uint8, [height, width, 3] each, of equal or different sizes; or
                one array, [batch, height, width, 3].

        Returns:
            The faces of each picture, in its own pixels.

        Raises:
            ValueError: A picture is not uint8 RGB.
        """
        plans = [plan_letterbox(image, self.side, self.grid) for image in images]
        shapes: dict[tuple[int, int], list[int]] = {}
        for index, plan in enumerate(plans):
            shapes.setdefault((plan.height, plan.width), []).append(index)
        found: dict[int, Faces] = {}
        for alike in shapes.values():
            for start in range(0, len(alike), PICTURES_AT_ONCE):
                batch = alike[start : start + PICTURES_AT_ONCE]
                prepared = np.stack([letterbox(images[index], plans[index]) for index in batch])
                for index, faces in zip(batch, self.detect_prepared(prepared), strict=True):
                    found[index] = restore(faces, plans[index])
        return [found[index] for index in range(len(plans))]

    def detect_prepared(self, pictures: np.ndarray) -> list[Faces]:
        """Find the faces in pictures that already have a size that the network takes.

        Args:
            pictures: RGB, uint8, [batch, side, side, 3]; or less high or wide by a multiple of
                the grid.

        Returns:
            The faces of each picture, in pixels of these pictures.

        Raises:
            ValueError: The pictures have another shape or dtype.
        """
        fits = pictures.ndim == 4 and pictures.shape[3] == 3 and pictures.dtype == np.uint8
        if not fits or any(not 0 < n <= self.side or n % self.grid for n in pictures.shape[1:3]):
            raise ValueError(
                f"Prepared pictures are {pictures.dtype} {list(pictures.shape)}; expected uint8 "
                f"[batch, height, width, 3] with multiples of {self.grid} up to {self.side}. "
                "Call the detector itself with pictures of other sizes."
            )
        found = []
        for start in range(0, len(pictures), PICTURES_AT_ONCE):
            found += self._detect_batch(pictures[start : start + PICTURES_AT_ONCE])
        return found

    def _detect_batch(self, pictures: np.ndarray) -> list[Faces]:
        # Nearly all anchors see nothing; only the others are decoded.
        found = self.network(pictures, math.log(self.threshold / (1 - self.threshold)))
        anchors = build_anchors(self.range, *pictures.shape[1:3])
        points = decode_points(found.regressors, anchors[found.anchor])
        scores = 1 / (1 + np.exp(-found.logits.clip(-80, 80)))
        counts = np.bincount(found.picture, minlength=len(pictures))
        ends = np.cumsum(counts)
        return [
            suppress(points[end - count : end], scores[end - count : end])
            for end, count in zip(ends, counts, strict=True)
        ]


def suppress(points: np.ndarray, scores: np.ndarray) -> Faces:
    """Merge candidates that overlap: their mean, weighted by score, with the best one's score.

    Args:
        points: Top left corner, bottom right corner, six keypoints, [candidates, 8, 2].
        scores: [candidates].

    Returns:
        One face for each group of candidates, the surest first.

    Source:
        MediaPipe, NonMaxSuppressionCalculator with the algorithm WEIGHTED.
    """
    valid = (points[:, 1] > points[:, 0]).all(-1)
    order = np.argsort(-scores[valid], kind="stable")
    points, scores = points[valid][order], scores[valid][order]
    merged, best = [], []
    while len(scores):
        same = overlaps(points[0], points) > SUPPRESSION_OVERLAP
        weights = scores[same] / scores[same].sum()
        merged.append(np.tensordot(weights, points[same], 1))
        best.append(scores[0])
        points, scores = points[~same], scores[~same]
    corners = np.array(merged, np.float32).reshape(-1, 8, 2)
    boxes = np.concatenate((corners[:, 0], corners[:, 1] - corners[:, 0]), -1)
    return Faces(boxes, corners[:, 2:], np.array(best, np.float32))


def overlaps(one: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Intersection over union of one box, [>= 2, 2], with others, [others, >= 2, 2]: [others]."""
    top_left = np.maximum(one[0], points[:, 0])
    bottom_right = np.minimum(one[1], points[:, 1])
    shared = (bottom_right - top_left).clip(0).prod(-1)
    areas = (points[:, 1] - points[:, 0]).prod(-1)
    return shared / (areas + (one[1] - one[0]).prod() - shared)


def restore(faces: Faces, place: Letterbox) -> Faces:
    """Turn pixels of a letterboxed picture into pixels of its source.

    Args:
        faces: What `detect_prepared` found in the letterboxed picture; may be none.
        place: Where the source lies in the letterboxed picture.

    Returns:
        As many faces in the same order, in pixels of the source.
    """
    offset = np.array((place.left, place.top), np.float32)
    scale = np.array((place.scale_x, place.scale_y), np.float32)
    corners, sizes = faces.boxes[:, :2], faces.boxes[:, 2:]
    boxes = np.concatenate(((corners - offset) / scale, sizes / scale), -1)
    return Faces(boxes, (faces.keypoints - offset) / scale, faces.scores)


def load_face_detector(
    range_: str = "short", device: "str | torch.device" = "cpu", threshold: float = 0.5
) -> FaceDetector:
    """Load a face detector; its weights are in the package.

    On the CPU onnxruntime computes it, and no torch is loaded, or torch where that is not
    installed; on other devices torch.

    Args:
        range_: "short" (faces that fill a good part of the picture, fastest) or "full"
            (small faces too).
        device: Where the network runs.
        threshold: The least score of a face, between 0 and 1.

    Returns:
        The detector.

    Raises:
        ValueError: No such range, or the weights are not those of this network.
        FileNotFoundError: The weights are not in the package.
    """
    if range_ not in SHAPES:
        raise ValueError(f"No face detector {range_!r}; known: {', '.join(sorted(SHAPES))}.")
    path = WEIGHTS_FOLDER / f"blazeface_{range_}.safetensors"
    return FaceDetector(_load_network(range_, path, device), range_, threshold)


def _load_network(range_: str, path: Path, device: "str | torch.device") -> FaceNetwork:
    if str(device) == "cpu" and importlib.util.find_spec("onnxruntime") is not None:
        from modalities.vision.blazeface_onnx import OnnxFaceNetwork

        return OnnxFaceNetwork(range_, path)
    from modalities.vision.blazeface_torch import TorchFaceNetwork

    return TorchFaceNetwork(range_, path, device)
