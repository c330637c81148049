"""Rules of weights: their formulas, ties, NaN, half precision, gradients, and what they refuse."""

import pytest
import torch

from fusion.routing.weight_rules import (
    ConstantSubset,
    OneHot,
    RelaxedBernoulli,
    SoftmaxTopK,
    TopKSoftmax,
)

LOGITS = torch.tensor([[0.5, 2.0, -1.0, 1.5], [3.0, -2.0, 0.0, 2.5]])
RULES = {
    "relaxed_bernoulli": RelaxedBernoulli(),
    "softmax": SoftmaxTopK(),
    "softmax_top_k": SoftmaxTopK(2, temperature=0.5),
    "softmax_top_k, as they are": SoftmaxTopK(2, renormalised=False),
    "top_k_softmax": TopKSoftmax(2, temperature=15.0),
    "constant_subset": ConstantSubset(2),
    "one_hot": OneHot(),
}


@pytest.fixture(params=list(RULES))
def rule(request):
    return RULES[request.param]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_keep_shape_and_dtype_and_are_finite(rule, training, dtype):
    logits = 200 * LOGITS.to(dtype)[:, None].expand(2, 3, 4)
    weights = rule(logits, training, torch.Generator().manual_seed(0))
    assert weights.shape == (2, 3, 4) and weights.dtype == dtype
    assert weights.isfinite().all() and (weights >= 0).all()


@pytest.mark.parametrize("training", [False, True])
def test_a_row_with_nan_has_nan_alone_and_the_others_are_as_without_it(rule, training):
    spoilt = torch.cat([LOGITS, torch.tensor([[0.0, torch.nan, 1.0, 2.0]])])
    weights = rule(spoilt, training, torch.Generator().manual_seed(0))
    alone = rule(spoilt.nan_to_num(), training, torch.Generator().manual_seed(0))
    assert weights[2].isnan().all()
    assert torch.equal(weights[:2], alone[:2])


@pytest.mark.parametrize("training", [False, True])
def test_an_expert_at_minus_infinity_has_no_weight(rule, training):
    logits = torch.tensor([[0.0, -torch.inf, -torch.inf, -torch.inf]])
    weights = rule(logits, training, torch.Generator().manual_seed(0))
    assert weights[0, 0] > 0 and (weights[0, 1:] == 0).all()


def test_of_experts_with_equal_logits_the_first_are_taken():
    level = torch.zeros(1, 5)
    assert TopKSoftmax(2)(level, False).tolist() == [[0.5, 0.5, 0, 0, 0]]
    assert SoftmaxTopK(2)(level, True).tolist() == [[0.5, 0.5, 0, 0, 0]]
    assert ConstantSubset(2)(level, False).tolist() == [[0.5, 0.5, 0, 0, 0]]
    assert OneHot()(level, True).tolist() == [[1, 0, 0, 0, 0]]


@pytest.mark.parametrize("rule", [SoftmaxTopK(5), TopKSoftmax(5), ConstantSubset(5)])
@pytest.mark.parametrize("training", [False, True])
def test_k_above_the_experts_is_refused_with_both_numbers(rule, training):
    with pytest.raises(ValueError, match="k is 5, the router has 4 experts; expected 1 to 4"):
        rule(LOGITS, training)


def test_k_and_temperatures_that_mean_nothing_are_refused():
    for rule in (SoftmaxTopK, TopKSoftmax, ConstantSubset):
        with pytest.raises(ValueError, match="k is 0; expected 1"):
            rule(0)
    for build in (RelaxedBernoulli, lambda t: SoftmaxTopK(1, t), lambda t: TopKSoftmax(1, t)):
        with pytest.raises(ValueError, match="temperature is 0.0; expected a number above 0"):
            build(0.0)


def test_relaxed_bernoulli_without_training_is_the_sigmoid_by_the_row_s_sum():
    on = LOGITS.sigmoid()
    found = RelaxedBernoulli(temperature=0.2)(LOGITS, False)
    torch.testing.assert_close(found, on / on.sum(1, keepdim=True))
    assert torch.equal(
        RelaxedBernoulli(drawn=False)(LOGITS, True), RelaxedBernoulli()(LOGITS, False)
    )


def test_relaxed_bernoulli_draws_as_torch_s_distribution():
    """The share of samples above a half is sigmoid(logit), at any temperature; quantiles agree."""
    logits = torch.tensor([0.8, -0.4], dtype=torch.float64).expand(40_000, 2)
    generator = torch.Generator().manual_seed(0)
    weights = RelaxedBernoulli(0.7)(logits, True, generator)
    torch.manual_seed(1)
    distribution = torch.distributions.RelaxedBernoulli(torch.tensor(0.7).double(), logits=logits)
    peer = distribution.rsample()
    peer = peer / peer.sum(1, keepdim=True)
    marks = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9], dtype=torch.float64)
    torch.testing.assert_close(
        weights[:, 0].quantile(marks), peer[:, 0].quantile(marks), atol=0.01, rtol=0
    )


def test_relaxed_bernoulli_has_a_gradient_through_its_sample():
    logits = LOGITS.double().requires_grad_()

    def weigh(values):
        return RelaxedBernoulli(0.5)(values, True, torch.Generator().manual_seed(0))

    assert torch.autograd.gradcheck(weigh, logits)


def test_softmax_top_k_keeps_the_highest_and_divides_by_their_sum():
    chances = (LOGITS / 0.5).softmax(1)
    kept = torch.tensor([[0, 1, 0, 1], [1, 0, 0, 1]]) * chances
    expected = kept / kept.sum(1, keepdim=True)
    torch.testing.assert_close(SoftmaxTopK(2, 0.5)(LOGITS, False), expected)
    torch.testing.assert_close(SoftmaxTopK(2, 0.5, renormalised=False)(LOGITS, True), kept)
    dense = SoftmaxTopK(2, 0.5, dense_in_training=True)
    torch.testing.assert_close(dense(LOGITS, True), chances)
    torch.testing.assert_close(dense(LOGITS, False), expected)


def test_the_choice_does_not_suffer_from_probabilities_that_underflow():
    logits = torch.tensor([[0.0, 500.0, 100.0, 200.0]])
    weights = SoftmaxTopK(2)(logits.requires_grad_(), True)
    assert weights.tolist() == [[0, 1, 0, 0]]
    tied = torch.tensor([[-500.0, 0.0, -400.0, -300.0]]) / torch.tensor(100.0)
    assert (SoftmaxTopK(2, 0.01)(tied, False) > 0).tolist() == [[False, True, False, False]]
    chosen = TopKSoftmax(2, temperature=1000.0)(logits, False)
    assert (chosen > 0).tolist() == [[False, True, False, True]]


def test_top_k_softmax_takes_its_temperature_where_nobody_trains():
    high = LOGITS.gather(1, torch.tensor([[1, 3], [0, 3]]))
    for training, temperature in ((True, 1.0), (False, 15.0)):
        weights = TopKSoftmax(2, 15.0)(LOGITS, training)
        found = weights.gather(1, torch.tensor([[1, 3], [0, 3]]))
        torch.testing.assert_close(found, (high / temperature).softmax(1))
        assert (weights > 0).sum(1).tolist() == [2, 2]
    torch.testing.assert_close(TopKSoftmax(3)(LOGITS, False), SoftmaxTopK(3)(LOGITS, False))
    assert torch.equal(TopKSoftmax(1, 30.0)(LOGITS, False), OneHot()(LOGITS, False))


def test_constant_weights_are_drawn_in_training_and_the_highest_else():
    rule = ConstantSubset(2, weight=0.25)
    expected = torch.tensor([[0.0, 0.25, 0.0, 0.25], [0.25, 0.0, 0.0, 0.25]])
    assert torch.equal(rule(LOGITS, False), expected)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([rule(LOGITS, True, generator) for _ in range(200)])
    assert (drawn == 0.25).sum(-1).unique().tolist() == [2]
    assert (drawn > 0).any(0).all()  # every expert is tried
    assert torch.equal(drawn[0], rule(LOGITS, True, torch.Generator().manual_seed(0)))


def test_a_draw_tells_its_probability_and_the_logits_learn_from_that_alone():
    logits = LOGITS.clone().requires_grad_()
    drawn = ConstantSubset(2).draw(logits, torch.Generator().manual_seed(0))
    assert not drawn.weights.requires_grad
    assert torch.equal(drawn.weights.nonzero()[:, 1].view(2, 2), drawn.ids.sort(1).values)
    first, second = LOGITS.softmax(1).gather(1, drawn.ids).unbind(1)
    torch.testing.assert_close(drawn.log_probability.exp(), first * second / (1 - first))
    drawn.log_probability.sum().backward()
    assert logits.grad is not None and (logits.grad != 0).all()


def test_experts_that_are_not_kept_get_no_gradient():
    logits = LOGITS.clone().requires_grad_()
    (TopKSoftmax(2)(logits, True) * torch.arange(4.0)).sum().backward()
    assert logits.grad is not None
    assert (logits.grad != 0).tolist() == [[False, True, False, True], [True, False, False, True]]
