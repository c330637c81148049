"""What pictures tell of what was given: landmarks of another size, faces in place of mouths.

Percents, and pixels of a smaller picture, look like a small face in a corner. Only the picture
tells that none is there: where the detector sees faces, none of them where the landmarks are, but
one to which common factors of x and y bring those of every picture, they are of another size.
"""

from collections.abc import Sequence

import numpy as np

from data_prep.faces.sampling import Detector, Sampler, SamplingConfig
from data_prep.faces.tracks import Detection, TrackConfig

NEAR = 0.5  # face widths by which points may lie off and still mean this face
CLOSE = 0.25  # the same, once they have been scaled
LEAST_FACTOR = 1.2  # and 1 / 1.2; less is no other size
LEAST_SCORE = 0.6
LOOKS = 5


def find_factors(
    landmarks: np.ndarray, grays: Sequence[np.ndarray], detector: Detector
) -> np.ndarray | None:
    """Find by what x and y have to be multiplied so that landmarks lie on a face.

    Args:
        landmarks: [frames, 4, 2] in pixels, without NaN.
        grays: The pictures of these frames, uint8 [height, width].
        detector: Finds faces.

    Returns:
        Two factors; None where the landmarks may be right: they lie on a face in some frame, or no
        factors bring them onto one in each.
    """
    seen = [(landmarks[index], faces) for index, faces in _look(grays, detector) if faces]
    if not seen or any(_is_on(points, face, NEAR) for points, faces in seen for face in faces):
        return None
    for face in seen[0][1]:
        factors = _factors([(seen[0][0], face)])
        pairs = [(points, _nearest(points * factors, faces)) for points, faces in seen]
        factors = _factors(pairs)
        far = max(max(factors), 1 / max(min(factors), 1e-9))
        if far >= LEAST_FACTOR and all(_is_on(p * factors, f, CLOSE) for p, f in pairs):
            return factors
    return None


def refuse_whole_faces(grays: Sequence[np.ndarray], detector: Detector) -> None:
    """Check that pictures are of mouths.

    Args:
        grays: uint8 [height, width].
        detector: Finds faces; in a picture of a mouth it finds none.

    Raises:
        ValueError: Most show a whole face.
    """
    seen = [faces for _, faces in _look(grays, detector)]
    with_face = [max(faces, key=lambda face: face.score) for faces in seen if faces]
    if 2 * len(with_face) <= len(seen):
        return
    width = float(np.median([face.box[2] for face in with_face]))
    height, whole = grays[0].shape
    raise ValueError(
        f"Pictures of the mouth video show whole faces, about {width:.0f} pixels wide in pictures "
        f"of {whole} x {height}; expected the mouth alone, as `mcgurk crop` cuts it out. Give such "
        "a video, or none: faces are then looked for in the clip itself."
    )


def _look(grays: Sequence[np.ndarray], detector: Detector) -> list[tuple[int, list[Detection]]]:
    """Find the sure faces of some pictures, evenly spaced."""
    looks = np.unique(np.linspace(0, len(grays) - 1, LOOKS).astype(int)).tolist()
    sampler = Sampler(detector, SamplingConfig(), TrackConfig())
    return [
        (index, [face for face in found if face.score >= LEAST_SCORE])
        for index, found in sampler.detect(looks, lambda index: grays[index])
    ]


def _factors(pairs: Sequence[tuple[np.ndarray, Detection]]) -> np.ndarray:
    """Of x and of y, by least squares."""
    given = np.concatenate([points for points, _ in pairs])
    seen = np.concatenate([face.landmarks for _, face in pairs])
    return (given * seen).sum(axis=0) / np.maximum((given**2).sum(axis=0), 1e-9)


def _nearest(points: np.ndarray, faces: Sequence[Detection]) -> Detection:
    return min(faces, key=lambda face: float(abs(face.landmarks - points).max()))


def _is_on(points: np.ndarray, face: Detection, near: float) -> bool:
    return float(abs(face.landmarks - points).max()) <= near * float(face.box[2])
