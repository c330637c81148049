"""Losses of routers: values by hand, directions of gradients, RLOO against the exact gradient."""

from itertools import permutations

import pytest
import torch
from torch.nn import functional

from fusion.routing.losses import (
    contrastive_tasks,
    entropy,
    label_cross_entropy,
    leave_one_out,
    load_balance,
    specialisation,
)
from fusion.routing.subsets import (
    draw_subset,
    log_probability_of_order,
    log_probability_of_set,
)
from fusion.routing.weight_rules import TopKSoftmax

EVEN = torch.full((6, 4), 0.25)
PEAKED = torch.eye(4)[[0, 1, 2, 3, 0, 1]]


def test_label_cross_entropy_is_the_mean_over_tokens_with_a_label():
    logits = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[1, 3, -100], [-100, -100, 0]])
    chances = logits.log_softmax(-1)
    expected = -(chances[0, 0, 1] + chances[0, 1, 3] + chances[1, 2, 0]) / 3
    torch.testing.assert_close(label_cross_entropy(logits, labels), expected)


def test_a_sample_s_label_holds_for_all_its_tokens():
    logits = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    spread = torch.tensor([[2, 2, 2], [0, 0, 0]])
    by_sample = label_cross_entropy(logits, torch.tensor([2, 0]))
    torch.testing.assert_close(by_sample, label_cross_entropy(logits, spread))


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([[0, 1], [2, 4]], "Labels go from 0 to 4, the router has 4 experts"),
        ([[0, 1], [-1, 2]], "Labels go from -1 to 2, the router has 4 experts"),
        ([[-100, -100], [-100, -100]], "No label is given"),
        ([0, 1, 2], r"Labels of shape \(3,\) came with logits of \(2, 2\) rows"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, told):
    with pytest.raises(ValueError, match=told):
        label_cross_entropy(torch.zeros(2, 2, 4), torch.tensor(labels))


def test_balance_is_k_of_the_experts_where_all_is_even_and_k_where_one_does_all():
    one = torch.eye(4)[[0, 0, 0, 0, 0, 0]]
    torch.testing.assert_close(load_balance(PEAKED[:4], PEAKED[:4]), torch.tensor(0.25))
    torch.testing.assert_close(load_balance(one, one), torch.tensor(1.0))
    assert load_balance(PEAKED, PEAKED) > 0.25  # two experts do more than the others


def test_descent_on_the_balance_takes_from_the_expert_that_does_most():
    logits = torch.tensor([[2.0, 0.0, 1.0], [3.0, 1.0, 0.0]], requires_grad=True)
    load_balance(logits.softmax(-1), TopKSoftmax(1)(logits, True)).backward()
    assert logits.grad is not None
    assert (logits.grad[:, 0] > 0).all() and (logits.grad[:, 1:] < 0).all()


def test_entropy_goes_from_zero_to_the_log_of_the_experts():
    assert entropy(PEAKED).item() == 0
    torch.testing.assert_close(entropy(EVEN), torch.tensor(4.0).log())


@pytest.mark.parametrize(("sign", "flatter"), [(-1, True), (1, False)])
def test_descent_makes_rows_flatter_with_minus_and_more_decided_with_plus(sign, flatter):
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0]], requires_grad=True)
    chances = logits.softmax(-1)
    loss = specialisation(chances, chances, sign, balance=0.0)
    loss.backward()
    assert logits.grad is not None
    after = (logits - 0.1 * logits.grad).softmax(-1)
    assert (entropy(after) > entropy(chances)).item() == flatter
    torch.testing.assert_close(loss, sign * entropy(chances))


def test_the_specialisation_loss_is_the_sum_of_its_terms():
    chances = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]])
    weights = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    expected = 2.0 * load_balance(chances, weights) - 0.3 * entropy(chances)
    found = specialisation(chances, weights, -1, balance=2.0, spread=0.3)
    torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match="sign of the entropy is 0; expected -1 or 1"):
        specialisation(chances, weights, 0)


def test_rows_that_are_padding_do_not_count():
    mask = torch.tensor([True, True, True, True, False, False])
    torch.testing.assert_close(load_balance(PEAKED, PEAKED, mask), torch.tensor(0.25))
    mixed = torch.cat([PEAKED[:4], EVEN[:2]])
    assert entropy(mixed, mask).item() == 0
    with pytest.raises(ValueError, match="No row is real"):
        entropy(EVEN, torch.zeros(6, dtype=torch.bool))


def test_contrastive_loss_pulls_samples_to_the_embedding_of_their_task():
    embeddings = torch.eye(3)
    features = torch.tensor([[4.0, 0.0, 0.0], [0.0, 0.0, 4.0]])
    right, wrong = torch.tensor([0, 2]), torch.tensor([1, 0])
    expected = functional.cross_entropy(features, right)
    torch.testing.assert_close(contrastive_tasks(features, right, embeddings), expected)
    assert contrastive_tasks(features, wrong, embeddings) > 4
    with pytest.raises(ValueError, match="Samples have 3 features, embeddings of tasks 2"):
        contrastive_tasks(features, right, torch.ones(3, 2))


LOGITS = torch.tensor([0.3, -1.2, 2.0, 0.7], dtype=torch.float64)


def cost_of(ids: torch.Tensor) -> torch.Tensor:
    """What experts 0 to 3 cost together, in whatever order; not additive, [..., 2] -> [...]."""
    table = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    first, second = table[ids].unbind(-1)
    return first * second + first + second


def exact_gradient() -> torch.Tensor:
    logits = LOGITS.clone().requires_grad_()
    orders = torch.tensor(list(permutations(range(4), 2)))
    chances = log_probability_of_order(logits.expand(len(orders), 4), orders).exp()
    (chances * cost_of(orders)).sum().backward()
    assert logits.grad is not None
    return logits.grad


@pytest.mark.parametrize("log_probability", [log_probability_of_order, log_probability_of_set])
def test_leaving_one_out_estimates_the_enumerated_gradient(log_probability):
    """Within three standard errors at each of the four logits, from 20,000 groups of 3 draws."""
    groups = 20_000
    logits = LOGITS.expand(groups, 4).clone().requires_grad_()
    each = logits.expand(3, groups, 4)
    ids = draw_subset(each, 2, torch.Generator().manual_seed(0))
    leave_one_out(log_probability(each, ids), cost_of(ids)).backward()
    assert logits.grad is not None
    estimates = logits.grad * groups  # one for each group
    error = estimates.std(0) / groups**0.5
    assert ((estimates.mean(0) - exact_gradient()).abs() < 3 * error).all()


def test_without_the_order_the_estimate_varies_less():
    def spread(log_probability) -> float:
        logits = LOGITS.expand(4000, 4).clone().requires_grad_()
        each = logits.expand(3, 4000, 4)
        ids = draw_subset(each, 2, torch.Generator().manual_seed(0))
        leave_one_out(log_probability(each, ids), cost_of(ids)).backward()
        assert logits.grad is not None
        return logits.grad.var(0).sum().item()

    assert spread(log_probability_of_set) < 0.9 * spread(log_probability_of_order)


def test_costs_have_no_gradient_and_a_constant_one_teaches_nothing():
    log_probabilities = torch.randn(4, 2, requires_grad=True)
    costs = torch.randn(4, 2, requires_grad=True)
    leave_one_out(log_probabilities, costs).backward()
    assert costs.grad is None
    log_probabilities.grad = None
    leave_one_out(log_probabilities, torch.full((4, 2), 7.0)).backward()
    assert log_probabilities.grad is not None and (log_probabilities.grad == 0).all()


def test_each_sample_is_compared_with_its_own_draws():
    """A hard sample beside an easy one changes nothing for either."""
    log_probabilities = torch.zeros(2, 2, requires_grad=True)
    costs = torch.tensor([[1.0, 101.0], [3.0, 103.0]])
    leave_one_out(log_probabilities, costs).backward()
    assert log_probabilities.grad is not None
    assert log_probabilities.grad.tolist() == [[-0.5, -0.5], [0.5, 0.5]]


def test_a_single_draw_and_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="1 draw is no ground to compare with"):
        leave_one_out(torch.zeros(1, 3), torch.zeros(1, 3))
    with pytest.raises(ValueError, match=r"are \(2, 3\) and costs \(2,\); expected \[draws, batch"):
        leave_one_out(torch.zeros(2, 3), torch.zeros(2))
