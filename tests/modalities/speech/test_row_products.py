"""Rows through linear layers laid out for few come out as through the layers themselves."""

import pytest
import torch
from torch import nn

from modalities.speech.row_products import RowProduct, store_by_columns


def _linears(inputs: int, outputs: int, biases: list[bool]) -> list[nn.Linear]:
    torch.manual_seed(0)
    return [nn.Linear(inputs, outputs, bias=bias) for bias in biases]


def _by_layer(linears: list[nn.Linear], rows: torch.Tensor) -> torch.Tensor:
    return torch.cat([linear(rows) for linear in linears], -1)


@pytest.mark.parametrize("inputs, outputs", [(8, 8), (8, 32), (32, 8), (7, 8), (8, 7)])
@pytest.mark.parametrize("biases", [[True], [False], [True, False, True]])
@pytest.mark.parametrize("batch, tokens", [(1, 1), (1, 5), (3, 1), (2, 3), (16, 1)])
def test_equals_the_layers(inputs, outputs, biases, batch, tokens):
    linears = _linears(inputs, outputs, biases)
    rows = torch.randn(batch, tokens, inputs)
    expected = _by_layer(linears, rows)
    before = [linear.weight.detach().clone() for linear in linears]
    for _ in range(2):  # as the layers come, then laid out
        torch.testing.assert_close(RowProduct(*linears)(rows), expected, rtol=1e-5, atol=1e-6)
        store_by_columns(linears)
    assert all(torch.equal(b, linear.weight) for b, linear in zip(before, linears, strict=True))


def test_sees_a_change_of_a_weight_made_in_place():
    linears = _linears(8, 8, [True, False, True])
    store_by_columns(linears)
    product = RowProduct(*linears)
    linears[1].weight.data += 1
    rows = torch.randn(1, 1, 8)
    torch.testing.assert_close(product(rows), _by_layer(linears, rows), rtol=1e-5, atol=1e-5)


def test_a_weight_put_in_the_place_of_another_is_used():
    linears = _linears(8, 8, [True, False, True])
    store_by_columns(linears)
    linears[1].weight = nn.Parameter(torch.randn(8, 8))
    rows = torch.randn(1, 1, 8)
    torch.testing.assert_close(RowProduct(*linears)(rows), _by_layer(linears, rows))


class _Doubled(nn.Linear):
    def forward(self, input):
        return 2 * super().forward(input)


def test_wrapped_and_hooked_layers_are_called():
    plain = nn.Linear(8, 8)
    store_by_columns([plain])
    rows = torch.randn(1, 1, 8)
    wrapped = _Doubled(8, 8)
    store_by_columns([wrapped])
    assert torch.equal(RowProduct(wrapped)(rows), wrapped(rows))
    plain.register_forward_hook(lambda module, args, output: output + 1)
    assert torch.equal(RowProduct(plain)(rows), plain(rows))
