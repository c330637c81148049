from typing import Any

import pytest
import torch
from torch.nn import functional

from modalities import aligned_attention
from modalities.aligned_attention import Aligned, align, attend_aligned


@pytest.fixture
def draw():
    return lambda *shape: torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_places_read_the_token_at_the_same_time_whatever_the_rates():
    index, there = align((1, 6), (1, 3))
    assert index.flatten().tolist() == [0, 0, 1, 1, 2, 2] and there.all()
    assert align((1, 3), (1, 6))[0].flatten().tolist() == [1, 3, 5]


def test_places_read_the_token_at_the_same_spot_and_those_around():
    index, there = align((2, 3), (2, 3), reach=1)
    assert index.shape == (6, 9)
    expected = {
        (r * 3 + c, row * 3 + column)
        for r in range(2)
        for c in range(3)
        for row in range(r - 1, r + 2)
        for column in range(c - 1, c + 2)
        if 0 <= row < 2 and 0 <= column < 3
    }
    found = [(place, int(index[place, near])) for place, near in there.nonzero().tolist()]
    assert set(found) == expected and len(found) == len(expected)


def dense(query: Any, keys: Any, values: Any, near_keys: Any, near_values: Any, mask: Any) -> Any:
    """Attend in the dense form: all tokens of all streams, and a mask."""
    seen = torch.cat([mask.new_ones(len(mask), keys.shape[2]), mask], 1)
    return functional.scaled_dot_product_attention(
        query, torch.cat([keys, near_keys], 2), torch.cat([values, near_values], 2), seen
    )


@pytest.mark.parametrize("reach", [0, 1])
def test_it_is_the_dense_form_with_a_banded_mask(draw, reach, monkeypatch):
    monkeypatch.setattr(aligned_attention, "CHUNK", 5)
    query, keys, values = draw(2, 2, 12, 4), draw(2, 2, 15, 4) + 1, draw(2, 2, 15, 4) - 1
    other_keys, other_values = draw(2, 2, 13, 4)[:, :, :12], 3 * draw(2, 2, 12, 4)
    index, there = align((3, 4), (3, 4), reach)
    band = torch.zeros(12, 12, dtype=torch.bool)
    band[torch.arange(12)[:, None].expand_as(index)[there], index[there]] = True
    near = Aligned(other_keys[:, :, index], other_values[:, :, index], there[None, None].float())
    found = attend_aligned(query, keys, values, [near])
    assert torch.allclose(
        found, dense(query, keys, values, other_keys, other_values, band), atol=1e-6
    )


def test_softmax_over_one_token_is_its_value_whatever_is_asked(draw):
    """As the paper prints it, aligned attention asks nothing: keys and queries play no part."""
    shared, unread = torch.zeros(1, 2, 1, 4), torch.zeros(1, 1, 1, 1)
    for query in (draw(1, 2, 6, 4), 100 * draw(1, 2, 6, 4)):
        near = Aligned(draw(1, 2, 6, 1, 4), draw(1, 2, 6, 1, 4) + 2, torch.ones(1, 1, 1, 1))
        found = attend_aligned(query, shared, shared, [near], unread)
        assert torch.allclose(found, near.values[:, :, :, 0])


def test_tokens_that_count_nothing_are_not_read_but_learn(draw):
    query, keys, values = draw(1, 2, 6, 4), draw(1, 2, 7, 4), draw(1, 2, 7, 4) + 1
    weights = torch.tensor([1.0] * 5 + [0.0] * 2, requires_grad=True)
    found = attend_aligned(query, keys, values, (), weights[None, None, None])
    fewer = functional.scaled_dot_product_attention(query, keys[:, :, :5], values[:, :, :5])
    assert torch.allclose(found, fewer, atol=1e-6)
    found.square().sum().backward()
    assert weights.grad is not None and weights.grad.isfinite().all()
    assert (weights.grad[5:] != 0).all()
