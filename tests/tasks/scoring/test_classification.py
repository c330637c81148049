import pytest
import torch

from tasks.scoring.calibration import fit_temperature
from tasks.scoring.classification import (
    accuracy,
    average_precision,
    calibration_error,
    confusion,
    score,
)


def test_accuracy_by_sound_and_by_class():
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    labels = torch.tensor([0, 0, 1, 1])
    assert accuracy(logits, labels) == 75
    assert score(logits, labels, ["a", "b"])["class_accuracy"] == 75
    assert confusion(logits, labels, 2).tolist() == [[2, 0], [1, 1]]


def test_calibration_error_by_hand():
    # Four sounds at 0.9, three of them right: a gap of 0.15; six at 0.6, all right: 0.4.
    probabilities = torch.tensor([[0.9, 0.1]] * 4 + [[0.6, 0.4]] * 6)
    labels = torch.tensor([0, 0, 0, 1] + [0] * 6)
    assert calibration_error(probabilities, labels) == pytest.approx(100 * (0.4 * 0.15 + 0.6 * 0.4))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(temperature):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 4, generator=generator)
    labels = torch.multinomial((logits / temperature).softmax(1), 1, generator=generator)[:, 0]
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.06)


def test_a_temperature_mends_what_is_too_sure():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(5_000, 3, generator=generator)
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    sure = 5 * logits
    found = score(sure, labels, "abc", fit_temperature(sure, labels))
    assert found["calibration_error_raw"] > 15
    assert found["calibration_error"] < 3


def test_average_precision_is_the_mean_precision_at_the_right_ones():
    right = torch.tensor([True, False, True, False])
    scores = torch.tensor([0.9, 0.8, 0.7, 0.1])
    assert average_precision(scores, right) == pytest.approx(100 * (1 / 1 + 2 / 3) / 2)
    assert average_precision(-scores, right) == pytest.approx(100 * (1 / 2 + 2 / 4) / 2)
    assert average_precision(right.float(), right) == 100


def test_average_precision_of_ties_is_the_share_of_right_ones():
    """No order among equals is better than another."""
    assert average_precision(torch.ones(8), torch.arange(8) < 2) == 25
