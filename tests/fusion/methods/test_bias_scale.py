"""Bias and scale: the paper's formula in both forms."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from fusion.adapters.interface import attach


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("form", ["input", "output"])
def test_bias_scale_is_the_paper_s_formula_and_merges(form, bias, disturb, inputs_of, tensors_of):
    model = nn.Sequential(nn.Linear(12, 10, bias=bias))
    weight, own = model[0].weight.clone(), model[0].bias.clone() if bias else torch.zeros(10)
    adapters = attach(model, "bias_scale", {"form": form}, ("0",))
    disturb(adapters, "default")
    scale, shift = tensors_of(adapters)["0.scale"], tensors_of(adapters)["0.bias"]
    if form == "input":
        expected = functional.linear(inputs_of() * scale, weight, own) + shift
    else:
        expected = scale * (functional.linear(inputs_of(), weight, own) + shift)
    torch.testing.assert_close(model(inputs_of()), expected)
    adapters.merge()
    torch.testing.assert_close(model(inputs_of()), expected)
    adapters.unmerge()
    assert (model[0].bias is not None) == bias
