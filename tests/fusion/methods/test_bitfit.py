"""BitFit: it moves the biases that there are."""

from copy import deepcopy

import pytest
import torch

from fusion.adapters.interface import attach


def t5():
    from transformers import T5Config, T5Model

    return T5Model(T5Config(d_model=32, d_ff=48, d_kv=16, num_layers=2, num_heads=2, vocab_size=99))


def test_bitfit_moves_the_biases(disturb, two_layers, inputs_of, tensors_of):
    model = two_layers()
    expected = deepcopy(model)
    adapters = attach(model, "bitfit", None, ("0", "1"))
    disturb(adapters, "default")
    moved = tensors_of(adapters)
    with torch.no_grad():
        expected[0].bias += moved["0.bias"]
        expected[1].bias += moved["1.bias"]
    torch.testing.assert_close(model(inputs_of()), expected(inputs_of()))


def test_bitfit_passes_over_layers_without_bias(build):
    adapters = attach(build("whisper"), "bitfit", None, ("k", "v"))
    (part,) = adapters.parts("default")
    assert part.sites and all(name.endswith("v_proj") for name in part.sites)
    with pytest.raises(ValueError, match="fits none of the"):
        attach(t5(), "bitfit", None, ("q",))
