"""Subsets: ties, and probabilities against all that can be drawn."""

from itertools import combinations, permutations

import pytest
import torch

from fusion.routing.subsets import (
    draw_subset,
    highest,
    log_probability_of_order,
    log_probability_of_set,
)

LOGITS = torch.tensor([0.3, -1.2, 2.0, 0.7], dtype=torch.float64)


def test_of_equal_logits_the_first_is_taken():
    logits = torch.tensor([[1.0, 3.0, 1.0, 3.0, 3.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    assert highest(logits, 2).tolist() == [[1, 3], [0, 1]]
    assert highest(logits.half(), 4).tolist() == [[1, 3, 4, 0], [0, 1, 2, 3]]


@pytest.mark.parametrize("count", [2, 4, 5, 8])
def test_the_highest_are_those_of_a_stable_sort(count):
    """Few are looked for one by one, many sorted; among all that can be equal or -inf."""
    logits = torch.randint(0, 4, (500, 8), generator=torch.Generator().manual_seed(0)).float()
    logits = logits.masked_fill(logits == 0, -torch.inf)
    expected = [
        sorted(range(8), key=lambda expert: (-row[expert], expert)) for row in logits.tolist()
    ]
    assert highest(logits, count).tolist() == [order[:count] for order in expected]


@pytest.mark.parametrize("count", [0, 5])
def test_more_experts_than_there_are_or_none_are_refused_with_both_numbers(count):
    with pytest.raises(ValueError, match=f"k is {count}, the router has 4 experts"):
        highest(LOGITS, count)
    with pytest.raises(ValueError, match=f"k is {count}, the router has 4 experts"):
        draw_subset(LOGITS, count)


def by_hand(order: tuple[int, ...]) -> float:
    chances = LOGITS.softmax(0).tolist()
    product, left = 1.0, 1.0
    for expert in order:
        product *= chances[expert] / left
        left -= chances[expert]
    return product


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_probabilities_of_all_orders_are_as_by_hand_and_sum_to_one(k):
    orders = list(permutations(range(4), k))
    found = log_probability_of_order(LOGITS.expand(len(orders), 4), torch.tensor(orders)).exp()
    expected = torch.tensor([by_hand(order) for order in orders], dtype=torch.float64)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found.sum(), torch.ones((), dtype=torch.float64))


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_probability_of_a_set_is_the_sum_over_its_orders(k):
    sets = list(combinations(range(4), k))
    found = log_probability_of_set(LOGITS.expand(len(sets), 4), torch.tensor(sets)).exp()
    expected = [sum(by_hand(order) for order in permutations(chosen)) for chosen in sets]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_the_gradient_of_both_log_probabilities_is_that_of_finite_differences():
    logits = LOGITS.clone().requires_grad_()
    ids = torch.tensor([2, 0, 1])
    assert torch.autograd.gradcheck(lambda z: log_probability_of_order(z, ids), logits)
    assert torch.autograd.gradcheck(lambda z: log_probability_of_set(z, ids), logits)


def test_orders_are_drawn_as_often_as_their_probability_says():
    draws = 40_000
    generator = torch.Generator().manual_seed(0)
    ids = draw_subset(LOGITS.expand(draws, 4), 2, generator)
    for order in permutations(range(4), 2):
        chance = by_hand(order)
        share = (ids == torch.tensor(order)).all(1).double().mean().item()
        assert abs(share - chance) < 4 * (chance * (1 - chance) / draws) ** 0.5


def test_an_expert_that_cannot_be_drawn_is_not_and_changes_no_probability():
    closed = torch.cat([LOGITS, torch.tensor([-torch.inf], dtype=torch.float64)])
    ids = draw_subset(closed.expand(200, 5), 4, torch.Generator().manual_seed(0))
    assert ids.max() == 3
    torch.testing.assert_close(
        log_probability_of_order(closed, ids[0]), log_probability_of_order(LOGITS, ids[0])
    )


def test_half_precision_is_reckoned_in_float32():
    ids = torch.tensor([0, 2])
    found = log_probability_of_order(LOGITS.half(), ids)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, log_probability_of_order(LOGITS.half().float(), ids))


def test_a_set_of_too_many_experts_is_refused():
    with pytest.raises(ValueError, match="13 experts has too many orders; expected 12"):
        log_probability_of_set(torch.zeros(13), torch.arange(13))
