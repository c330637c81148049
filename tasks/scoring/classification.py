"""How right a classifier is, and how well it knows that."""

from collections.abc import Sequence

import torch
from torch import Tensor

BINS = 15


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of right classes, percent; logits [sounds, classes], labels [sounds]."""
    return 100 * float((logits.argmax(1) == labels).float().mean())


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """Return how far confidence and accuracy are apart, percent, by bins of equal width.

    Args:
        probabilities: [sounds, classes].
        labels: [sounds].
        bins: How many.

    Source:
        Guo et al., On Calibration of Modern Neural Networks (2017, arXiv 1706.04599).
    """
    confidence, chosen = probabilities.max(1)
    right = (chosen == labels).double()
    place = (confidence * bins).long().clamp(max=bins - 1)
    error = 0.0
    for number in range(bins):
        inside = place == number
        if inside.any():
            gap = (right[inside].mean() - confidence[inside].double().mean()).abs()
            error += float(gap * inside.double().mean())
    return 100 * error


def score(
    logits: Tensor, labels: Tensor, classes: Sequence[str], temperature: float = 1.0
) -> dict[str, float]:
    """Measure a classifier.

    Args:
        logits: [sounds, classes].
        labels: [sounds].
        classes: Names.
        temperature: What logits are divided by, see `fit_temperature`.

    Returns:
        Accuracy, mean over classes of their accuracy, and the calibration error before and after
        the temperature; percent.
    """
    by_class = [
        100 * float((logits[labels == number].argmax(1) == number).float().mean())
        for number in range(len(classes))
        if bool((labels == number).any())
    ]
    return {
        "accuracy": accuracy(logits, labels),
        "class_accuracy": sum(by_class) / len(by_class),
        "calibration_error_raw": calibration_error(logits.softmax(1), labels),
        "calibration_error": calibration_error((logits / temperature).softmax(1), labels),
    }


def average_precision(scores: Tensor, right: Tensor) -> float:
    """Return the mean precision at the place of each right sound, percent.

    Args:
        scores: How much each sound is like the class, [sounds]; those alike share the last place.
        right: Whether it is of the class, [sounds], bool; one or more are.
    """
    found = scores[right]
    within = [len(some) - torch.searchsorted(some.sort().values, found) for some in (found, scores)]
    return 100 * float((within[0].double() / within[1]).mean())


def confusion(logits: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Count sounds by their class and the one they were taken for, [classes, classes]."""
    places = labels * classes + logits.argmax(1)
    return torch.bincount(places, minlength=classes**2).view(classes, classes)
