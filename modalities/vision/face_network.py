"""What a face detector asks of a network, whatever computes it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from modalities.vision.blazeface_shapes import SHAPES

REMEDY = "reinstall mcgurk, or write them with python -m modalities.vision.convert_blazeface."


@dataclass(frozen=True)
class Candidates:
    """The anchors of some pictures that may see a face, in order.

    Attributes:
        picture: Number of the picture, [candidates].
        anchor: Number of the anchor, [candidates].
        regressors: Raw, in pixels of the input relative to the anchor: centre x, y, width, height,
            six keypoints x, y, float32 [candidates, 16].
        logits: How sure it is, float32 [candidates].
    """

    picture: np.ndarray
    anchor: np.ndarray
    regressors: np.ndarray
    logits: np.ndarray

    @classmethod
    def none(cls) -> "Candidates":
        """Return those of no pictures."""
        nothing = np.zeros(0, int)
        return cls(nothing, nothing, np.zeros((0, 16), np.float32), np.zeros(0, np.float32))


class FaceNetwork(Protocol):
    """A BlazeFace that is ready to run."""

    def __call__(self, pictures: np.ndarray, least_logit: float, /) -> Candidates:
        """Score every anchor, and return those above a logit.

        Args:
            pictures: RGB, uint8 [batch, height, width, 3], both sides multiples of the grid.
            least_logit: What a candidate exceeds.
        """
        ...


def refuse_weights(range_: str, path: Path, reason: str = "") -> Exception:
    """Return what to raise for weights that are missing, or with a reason, for those not taken."""
    if not reason:
        return FileNotFoundError(f"No face detection weights at {path}; {REMEDY}")
    first = reason.splitlines()[0]
    return ValueError(
        f"{path} does not hold the weights of {SHAPES[range_].name} ({first}); {REMEDY}"
    )
