import numpy as np
import pytest
import torch

from fusion.conditions.condition import Condition


def test_mask_says_which_tokens_are_real():
    condition = Condition("a", "tokens", torch.ones(2, 3, 4), lengths=torch.tensor([1, 3]))
    assert condition.mask is not None
    assert condition.mask.tolist() == [[True, False, False], [True, True, True]]
    assert condition.rows == 2


@pytest.mark.parametrize(
    ("kind", "shape", "given", "message"),
    [
        ("sound", (1, 2), {}, "No kind of condition 'sound' for 'a'; known: tokens, map, vector"),
        ("map", (1, 3, 8), {}, r"\[1, 3, 8\]; expected \[rows, channels, height, width\]"),
        ("tokens", (1, 0, 8), {}, "each 1 or more"),
        ("vector", (2, 3), {"lengths": torch.ones(2)}, "only tokens have them"),
        ("map", (2, 3, 4, 4), {"times": torch.ones(2)}, "only latent have them"),
        ("tokens", (2, 3, 4), {"lengths": torch.ones(3)}, r"\[3\]; expected \[2\]"),
        ("tokens", (2, 3, 4), {"lengths": torch.tensor([0, 3])}, "expected 1 to 3"),
        ("tokens", (2, 3, 4), {"lengths": torch.tensor([1, 4])}, "expected 1 to 3"),
        ("tokens", (2, 3, 4), {"positions": torch.ones(2, 4, 2)}, r"expected \[2, 3, 2\]"),
        ("latent", (2, 4, 4, 4), {"times": torch.ones(1)}, r"times of 'a' are \[1\]"),
    ],
)
def test_what_does_not_fit_is_refused(kind, shape, given, message):
    with pytest.raises(ValueError, match=message):
        Condition("a", kind, torch.ones(shape), **given)


def test_numbers_that_are_none_are_refused():
    with pytest.raises(ValueError, match="NaN or infinite"):
        Condition("a", "vector", torch.tensor([[1.0, torch.nan]]))


@pytest.mark.parametrize(
    ("data", "scale", "message"),
    [
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), 1.0, r"is torch.uint8; expected a tensor of"),
        (np.zeros((1, 3, 4, 4)), 1.0, "is ndarray; expected a tensor of floats"),
        (torch.zeros(1, 3, 4, 4), float("nan"), "scale of 'a' is nan; expected a number"),
        (torch.zeros(1, 3, 4, 4), "1", "scale of 'a' is '1'; expected a number"),
    ],
)
def test_values_of_other_types_are_refused(data, scale, message):
    with pytest.raises(ValueError, match=message):
        Condition("a", "map", data, scale=scale)
