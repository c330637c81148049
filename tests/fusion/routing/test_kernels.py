"""Kernels of LoRA experts against the plain sum over experts, in values and gradients."""

import pytest
import torch

from fusion.routing.kernels import lora_of_rows, lora_of_tokens
from fusion.routing.weight_rules import TopKSoftmax


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape)))
    return values.to(dtype)


def problem(experts: int = 5, rank: int = 3, dtype: torch.dtype = torch.float32):
    """Two rows of 7 tokens, 12 features in and 10 out, two experts for each token."""
    weights = TopKSoftmax(2)(drawn(2, 7, experts), True).to(dtype)
    down, up = drawn(experts, rank, 12, dtype=dtype), drawn(experts, 10, rank, dtype=dtype)
    return drawn(2, 7, 12, dtype=dtype), down, up, weights


def plainly(inputs, down, up, weights) -> torch.Tensor:
    """Every expert on every token, [batch, tokens, dim_out]."""
    total = torch.zeros(())
    for number in range(len(down)):
        total = total + weights[..., number : number + 1] * (inputs @ down[number].T @ up[number].T)
    return total


def gradients(call, *tensors: torch.Tensor) -> list[torch.Tensor]:
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    outputs = call(*leaves)
    (outputs * drawn(*outputs.shape, dtype=outputs.dtype)).sum().backward()
    return [leaf.grad for leaf in leaves if leaf.grad is not None]


def test_tokens_sorted_by_expert_give_the_plain_sum():
    inputs, down, up, weights = problem()
    found = lora_of_tokens(inputs, down, up, weights)
    torch.testing.assert_close(found, plainly(inputs, down, up, weights))


def test_what_is_added_to_is_left_as_it_is():
    onto = drawn(2, 7, 10)
    before = onto.clone()
    found = lora_of_tokens(*problem(), onto)
    torch.testing.assert_close(found, before + plainly(*problem()))
    assert torch.equal(onto, before)


def test_gradients_are_those_of_the_plain_sum_where_there_is_weight():
    tensors = problem(dtype=torch.float64)
    found, expected = gradients(lora_of_tokens, *tensors), gradients(plainly, *tensors)
    chosen = tensors[3] != 0
    for ours, plain in zip(found[:3], expected[:3], strict=True):
        torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(found[3][chosen], expected[3][chosen])
    assert (found[3][~chosen] == 0).all()


def test_a_gradient_reaches_what_is_added_to():
    onto = drawn(2, 7, 10).requires_grad_()
    lora_of_tokens(*problem(), onto).sum().backward()
    assert onto.grad is not None and (onto.grad == 1).all()


def test_experts_without_tokens_change_nothing_and_get_no_gradient():
    inputs, down, up, weights = problem()
    weights = torch.zeros_like(weights)
    weights[0, :, 3] = 0.5
    found = lora_of_tokens(inputs, down, up, weights)
    torch.testing.assert_close(found, plainly(inputs, down, up, weights))
    assert (found[1] == 0).all()
    _, of_down, of_up, _ = gradients(lora_of_tokens, inputs, down, up, weights)
    used = [0, 0, 0, 1, 0]
    assert [int((g != 0).any()) for g in of_down] == used
    assert [int((g != 0).any()) for g in of_up] == used


def test_no_weight_at_all_gives_zeros():
    inputs, down, up, weights = problem()
    assert (lora_of_tokens(inputs, down, up, 0 * weights) == 0).all()
    many = problem(experts=30)
    assert (lora_of_rows(*many[:3], torch.zeros(2, 30)) == 0).all()


def test_bfloat16_is_the_plain_sum_but_for_its_rounding():
    exact = plainly(*[tensor.double() for tensor in problem(dtype=torch.bfloat16)])
    found = lora_of_tokens(*problem(dtype=torch.bfloat16))
    assert found.dtype == torch.bfloat16
    assert (found - exact).abs().max() < 0.02 * exact.abs().max()
    for gradient in gradients(lora_of_tokens, *problem(dtype=torch.bfloat16)):
        assert gradient.dtype == torch.bfloat16 and gradient.isfinite().all()


def test_a_weight_that_is_not_a_number_spoils_its_token_alone():
    inputs, down, up, weights = problem()
    weights[1, 2] = torch.nan
    found = lora_of_tokens(inputs, down, up, weights)
    spoilt = found.isnan().all(-1)
    assert spoilt.nonzero().tolist() == [[1, 2]] and not found[~spoilt].isnan().any()


@pytest.mark.parametrize("experts", [5, 30], ids=["few", "many"])
@pytest.mark.parametrize("tokens", [1, 7])
def test_rows_with_experts_of_their_own_give_the_plain_sum_with_its_gradients(experts, tokens):
    inputs, down, up, _ = problem(experts, dtype=torch.float64)
    weights = TopKSoftmax(2)(drawn(2, experts, dtype=torch.float64), True)
    tensors = (inputs[:, :tokens], down, up, weights)
    expected = plainly(inputs[:, :tokens], down, up, weights[:, None])
    torch.testing.assert_close(lora_of_rows(*tensors), expected)
    found = gradients(lora_of_rows, *tensors)
    plain = gradients(lambda x, a, b, w: plainly(x, a, b, w[:, None]), *tensors)
    for ours, theirs in zip(found[:3], plain[:3], strict=True):
        torch.testing.assert_close(ours, theirs)
    chosen = weights != 0
    torch.testing.assert_close(found[3][chosen], plain[3][chosen])


@pytest.mark.parametrize("experts", [8, 40])
def test_eight_rows_that_each_decode_with_one_expert_are_as_one_by_one(experts):
    inputs = drawn(8, 1, 12)
    down, up = drawn(experts, 8, 12), drawn(experts, 10, 8)
    own = torch.tensor([3, 0, 7, 7, 1, 2, 5, 3])
    found = lora_of_rows(inputs, down, up, torch.eye(experts)[own])
    for row, expert in enumerate(own.tolist()):
        torch.testing.assert_close(found[row], inputs[row] @ down[expert].T @ up[expert].T)


def test_weights_that_do_not_fit_are_refused_with_both_shapes():
    inputs, down, up, weights = problem()
    with pytest.raises(ValueError, match=r"Weights are \[2, 7, 4\] .* expected \[2, 7, 5\]"):
        lora_of_tokens(inputs, down, up, weights[..., :4])
    with pytest.raises(ValueError, match=r"Weights are \[2, 7, 5\] .* expected \[2, 5\]"):
        lora_of_rows(inputs, down, up, weights)
    with pytest.raises(ValueError, match=r"5 experts \(B: 4\)"):
        lora_of_tokens(inputs, down, up[:4], weights)
