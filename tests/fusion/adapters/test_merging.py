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


def test_a_weight_that_is_the_embeddings_too_is_not_merged_into(disturb):
    model = torch.nn.Sequential()
    model.embed = torch.nn.Embedding(9, 4)
    model.head = torch.nn.Linear(4, 9, bias=False)
    model.head.weight = model.embed.weight
    adapters = attach(model, "lora", {"rank": 1}, ["head"])
    disturb(adapters, "default")
    before = model.embed.weight.clone()
    with pytest.raises(ValueError, match="weight of head is that of embed too"):
        adapters.merge()
    assert torch.equal(model.embed.weight, before) and not adapters.selection.merged
