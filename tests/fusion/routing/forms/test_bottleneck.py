"""Bottlenecks beside a sub-layer, against the adapter method of one."""

import pytest
import torch

from fusion.adapters.interface import Adapters, attach
from fusion.routing.bank import attach_bank


@torch.no_grad()
def test_the_chosen_expert_is_a_parallel_bottleneck(build, output, disturb):
    plain = build("whisper")
    one = {"rank": 4, "mode": "parallel", "activation": "relu"}
    adapters = attach(plain, "bottleneck", one, ("mlp",))
    disturb(adapters, "default")
    model = build("whisper")
    options = {"form": "bottleneck", "rank": 4, "experts": 3, "router": "given"}
    bank = attach_bank(model, options | {"granularity": "sample", "rule": "one_hot"})
    disturb(bank.adapters, "bank", seed=5)
    named = adapters.named_parameters("default")
    for site, adapter in bank.sites.items():
        held, ours = f"{site}.mcgurk_adapters", adapter.experts.experts
        ours.down[1] = named[f"{held}.down.weight"].T
        ours.down_bias[1] = named[f"{held}.down.bias"]
        ours.up[1] = named[f"{held}.up.weight"].T
        ours.up_bias[1] = named[f"{held}.up.bias"]
    with bank.route(weights=torch.tensor([[0.0, 1, 0]] * 4)):
        found = output("whisper", model)
    torch.testing.assert_close(found, output("whisper", plain), atol=1e-5, rtol=1e-4)
    Adapters(plain).use(None)
    assert not torch.allclose(found, output("whisper", plain), atol=1e-3)


def test_it_is_put_beside_sublayers_alone(build):
    with pytest.raises(ValueError, match="fits none of the"):
        attach_bank(build("whisper"), {"form": "bottleneck"}, ("q",))
