"""Numbers of painted pictures, by what was given to compare them."""

import numpy as np

from tasks.audio_to_image.painting.evaluation.features import (
    CLIP,
    INCEPTION,
    PIXELS,
    SQUEEZED,
    Features,
)
from tasks.scoring.images import frechet_distance, kernel_distance, measure_likeness

MEANS = {
    "FID": "distance of Inception's features to those of true pictures; lower is better",
    "KID": "kernel distance of the same features; lower is better",
    "KID_deviation": "over subsets of pictures",
    "CLIP-FID": "distance of CLIP's features to those of true pictures; lower is better",
    "AIS": "cosine of sound and painted picture",
    "AIS-z": "the same against pictures of other clips, in deviations",
    "IIS": "cosine of true and painted picture, in CLIP's space",
    "IIS-z": "the same against pictures of other clips, in deviations",
    "pixels": "cosine of true and painted picture's pixels, each without the mean true picture",
    "pixels-z": "the same against pictures of other clips, in deviations",
}


def score_pictures(features: Features, sounds: np.ndarray | None, seed: int) -> dict[str, float]:
    """Measure painted pictures.

    Args:
        features: What three clips or more look like, painted and true.
        sounds: Vectors of their sounds in CLIP's space, [clips, dim], or None.
        seed: Fixes the subsets of KID.

    Returns:
        Numbers by their names in `MEANS`, as many as can be told.

    Raises:
        ValueError: Vectors of sounds that do not fit CLIP's.
    """
    found: dict[str, float] = {}
    if INCEPTION in features.looks:
        painted, true = features.pair(INCEPTION)
        kernel = kernel_distance(painted, true, seed=seed)
        found |= {"FID": frechet_distance(painted, true)}
        found |= {"KID": kernel.mean, "KID_deviation": kernel.deviation}
    if CLIP in features.looks:
        found["CLIP-FID"] = frechet_distance(*features.pair(SQUEEZED))
        painted, true = features.pair(CLIP)
        if sounds is not None:
            found |= _alike("AIS", sounds, painted)
        found |= _alike("IIS", true, painted)
    painted, true = features.pair(PIXELS)
    mean = true.mean(0)
    try:
        found |= _alike("pixels", true - mean, painted - mean)
    except ValueError:  # as of pictures that are all the same
        pass
    return found


def _alike(name: str, clips: np.ndarray, painted: np.ndarray) -> dict[str, float]:
    alike = measure_likeness(clips, painted)
    return {name: alike.mean, f"{name}-z": alike.z}
