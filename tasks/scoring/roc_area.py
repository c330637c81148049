"""How well a score tells two kinds apart."""

import numpy as np
from numpy.typing import ArrayLike


def measure_separation(higher: ArrayLike, lower: ArrayLike) -> float | None:
    """Return the area under the ROC curve.

    It is the chance that one of the first kind scores above one of the second; ties count half.

    Args:
        higher: Scores of those that should be higher, [one kind].
        lower: Scores of the others, [other kind].

    Returns:
        0 to 1, 0.5 for no separation; None where a kind is missing.
    """
    above, below = np.asarray(higher, np.float64), np.asarray(lower, np.float64)
    if not above.size or not below.size:
        return None
    ordered = np.sort(below)
    beaten = np.searchsorted(ordered, above, "left")
    beaten_or_tied = np.searchsorted(ordered, above, "right")
    return float((beaten + beaten_or_tied).mean() / (2 * below.size))
