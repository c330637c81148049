"""How far a predicted mask is the right one: Dice, IoU and HD95, by monai, and their means.

The rule for empty masks, in one place: where both are empty, the prediction is right, Dice 1, IoU 1
and HD95 0; where one is, it is wrong, Dice 0, IoU 0 and HD95 the image's diagonal, which no
distance in the image exceeds. monai's HD95 is not a number in these cases, and its mean leaves them
out: by it a model that finds nothing has the best HD95 there is.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np

from modalities.extras import import_extra
from tasks.scoring.edge_distance import measure_hd95

BOTH, TRUTH, PREDICTED = "both", "truth", "predicted"
PIXELS, MILLIMETRES = "px", "mm"
EMPTY_RULE = (
    "Empty masks: where truth and prediction are both empty, Dice and IoU are 100 % and HD95 is 0; "
    "where one of them is, Dice and IoU are 0 % and HD95 is the image's diagonal."
)


@dataclass(frozen=True)
class MaskScore:
    """How far one predicted mask is the right one.

    Attributes:
        dice: Twice the pixels of both by the sum of the pixels of each, 0 to 1.
        iou: Pixels of both by pixels of either, 0 to 1.
        hd95: 95th percentile of the distances from the edge of one to the edge of the other, the
            greater of both directions; in pixels, or in the unit of the spacing.
        empty: Which mask has no pixel: "" for none, "both", "truth" or "predicted"; then the scores
            are by `EMPTY_RULE`.
    """

    dice: float
    iou: float
    hd95: float
    empty: str


def score_mask(
    predicted: np.ndarray, truth: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)
) -> MaskScore:
    """Compare a predicted mask with the right one.

    Args:
        predicted: Bool [height, width], True where the thing is said to be.
        truth: Bool [height, width], True where it is.
        spacing: Height and width of a pixel, each above 0: in millimetres where they are known.

    Raises:
        ValueError: A mask is not of truth values (0 and 255 would give nonsense without a word), or
            their sizes differ, or the spacing is no length; or monai is not installed.
    """
    _check(predicted, truth, spacing)
    import_extra("monai", "segmentation", "Dice, IoU and HD95 of masks")
    import torch
    from monai.metrics import compute_dice, compute_iou

    # [1, 1, height, width]: one image, and one class without a background
    said, right = (torch.from_numpy(mask.copy())[None, None].float() for mask in (predicted, truth))
    empty = find_empty(predicted, truth)
    if empty:
        hd95 = 0.0 if empty == BOTH else diagonal(truth.shape, spacing)
    else:
        hd95 = measure_hd95(predicted, truth, spacing)
    return MaskScore(
        float(compute_dice(said, right, ignore_empty=False).item()),
        float(compute_iou(said, right, ignore_empty=False).item()),
        hd95,
        empty,
    )


def find_empty(predicted: np.ndarray, truth: np.ndarray) -> str:
    """Say which of two masks has no pixel: "" for none, "both", "truth" or "predicted"."""
    found = (bool(truth.any()), bool(predicted.any()))
    return {(True, True): "", (False, False): BOTH, (False, True): TRUTH}.get(found, PREDICTED)


def diagonal(shape: Sequence[int], spacing: tuple[float, float]) -> float:
    """Return the length of an image's diagonal.

    Args:
        shape: Height and width, pixels.
        spacing: Height and width of a pixel, in the unit of what is returned.
    """
    return math.hypot(shape[0] * spacing[0], shape[1] * spacing[1])


def _check(predicted: np.ndarray, truth: np.ndarray, spacing: tuple[float, float]) -> None:
    for name, mask in (("predicted", predicted), ("true", truth)):
        if mask.dtype != np.bool_:
            held = f" from {mask.min()} to {mask.max()}" if mask.size else ""
            raise ValueError(
                f"The {name} mask is {mask.dtype}{held}; expected bool, True where the thing is. "
                "Compare it with a threshold first, as mask >= 128 or probability > 0.5."
            )
        if mask.ndim != 2 or not mask.size:
            raise ValueError(
                f"The {name} mask is of shape {mask.shape}; expected [height, width], one pixel or "
                "more. Score one image and one class at a time."
            )
    if predicted.shape != truth.shape:
        raise ValueError(
            f"The predicted mask is of shape {predicted.shape}, the true one {truth.shape}; "
            "expected the same. Bring the prediction to the size of the image."
        )
    if len(spacing) != 2 or not all(math.isfinite(side) and side > 0 for side in spacing):
        raise ValueError(
            f"The spacing is {tuple(spacing)}; expected height and width of a pixel, above 0. "
            "Leave it out to measure in pixels."
        )


@dataclass(frozen=True)
class MaskSummary:
    """Means over masks, each mask weighing the same whatever its size.

    Attributes:
        masks: How many, 1 or more.
        dice: Mean, 0 to 1.
        iou: Mean, 0 to 1.
        in_mm: How many have an HD95 in millimetres; the others have one in pixels.
        hd95_px: Mean over those that are measured in pixels; None where none is.
        hd95_mm: Mean over those that are measured in millimetres; None where none is.
        both_empty: In how many truth and prediction are empty.
        truth_empty: In how many the truth alone is empty: something is found where nothing is.
        predicted_empty: In how many the prediction alone is: nothing is found of what is there.
    """

    masks: int
    dice: float
    iou: float
    in_mm: int
    hd95_px: float | None
    hd95_mm: float | None
    both_empty: int
    truth_empty: int
    predicted_empty: int


def summarise_masks(scores: Sequence[MaskScore], units: Sequence[str]) -> MaskSummary:
    """Average scores; pixels and millimetres are kept apart.

    Args:
        scores: One or more.
        units: "px" or "mm", what the HD95 of each score is in.

    Raises:
        ValueError: There are none.
    """
    if not scores:
        raise ValueError("There is no mask to average over; expected one or more.")
    lengths: dict[str, list[float]] = {PIXELS: [], MILLIMETRES: []}
    for score, unit in zip(scores, units, strict=True):
        lengths[unit].append(score.hd95)
    means = {unit: mean(values) if values else None for unit, values in lengths.items()}
    empty = Counter(score.empty for score in scores)
    return MaskSummary(
        len(scores),
        mean(score.dice for score in scores),
        mean(score.iou for score in scores),
        len(lengths[MILLIMETRES]),
        means[PIXELS],
        means[MILLIMETRES],
        empty[BOTH],
        empty[TRUTH],
        empty[PREDICTED],
    )


@dataclass(frozen=True)
class Spread:
    """A measure over trainings that differ by their seed.

    Attributes:
        mean: Its arithmetic mean.
        deviation: Its standard deviation, that of a sample (by n - 1); 0 for one seed.
    """

    mean: float
    deviation: float


def spread_of(values: Sequence[float]) -> Spread:
    """Return mean and deviation of one or more values, one of each seed.

    Raises:
        ValueError: There are none.
    """
    if not values:
        raise ValueError("There is no seed to average over; expected one or more.")
    return Spread(mean(values), stdev(values) if len(values) > 1 else 0.0)


def spread_over_seeds(summaries: Sequence[MaskSummary]) -> dict[str, Spread]:
    """Return mean and deviation of "dice", "iou", "hd95_px" and "hd95_mm" over seeds.

    Args:
        summaries: One of each seed, of the same masks; one or more.

    Returns:
        By name; those that no mask is measured in are left out.

    Raises:
        ValueError: There are none, or they are of different masks.
    """
    counts = sorted({summary.masks for summary in summaries})
    if len(counts) > 1:
        raise ValueError(
            f"The seeds were scored on {' and '.join(map(str, counts))} masks; expected the same "
            "masks for each. Evaluate all on one manifest."
        )
    names = ("dice", "iou", "hd95_px", "hd95_mm")
    columns = {name: [getattr(summary, name) for summary in summaries] for name in names}
    if not summaries:
        spread_of(())
    return {name: spread_of(values) for name, values in columns.items() if None not in values}
