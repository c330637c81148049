"""Scale and shift: after each module, and merged into it."""

from copy import deepcopy

import torch
from torch import nn

from fusion.adapters.interface import attach


def test_scale_shift_follows_each_module(disturb, two_layers, inputs_of, tensors_of):
    model = two_layers()
    norm, linear = deepcopy(model)
    adapters = attach(model, "scale_shift", None, ("0", "1"))
    disturb(adapters, "default")
    got = tensors_of(adapters)
    hidden = got["0.gain"] * norm(inputs_of()) + got["0.shift"]
    expected = got["1.gain"] * linear(hidden) + got["1.shift"]
    torch.testing.assert_close(model(inputs_of()), expected)


def test_scale_shift_of_a_norm_without_bias_is_a_gain_and_merges(disturb, inputs_of):
    model = nn.Sequential(nn.RMSNorm(12))
    adapters = attach(model, "scale_shift", None, ("0",))
    disturb(adapters, "default")
    expected = model(inputs_of())
    assert adapters.count("default") == 12 == len(adapters.parameters("default")[0])
    adapters.merge()
    torch.testing.assert_close(model(inputs_of()), expected)
