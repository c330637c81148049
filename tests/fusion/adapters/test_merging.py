"""Several methods at one layer merge to what they compute."""

import pytest
import torch

from fusion.adapters.interface import Adapters, attach


@pytest.mark.parametrize(
    "methods",
    [("shira", "hydra"), ("shira", "lora"), ("hydra", "ia3"), ("ia3", "lora"), ("lora", "ia3")],
)
def test_two_methods_at_one_layer_merge_to_what_they_compute(methods, disturb, linear):
    model = linear(6, 6)
    for method in methods:
        options = {} if method == "ia3" else {"rank": 1}
        disturb(attach(model, method, options, ["0"], name="both"), "both")
    adapters = Adapters(model)
    inputs = torch.randn(2, 3, 6)
    expected = model(inputs)
    alone = []
    for key in ("both", "both+1"):
        adapters.selection.active[:] = [key]
        alone.append(model(inputs))
    assert not any(torch.allclose(expected, one, atol=1e-4) for one in alone)
    adapters.use("both")
    adapters.merge()
    torch.testing.assert_close(model(inputs), expected)
