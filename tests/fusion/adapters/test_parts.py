"""The frozen model behind its adapters."""

import pytest
import torch

from fusion.adapters import Adapters, attach
from fusion.methods.catalog import METHODS


@pytest.mark.parametrize("kind", ["whisper", "bart"])
def test_the_frozen_state_is_that_of_the_model_without_adapters(kind, build):
    plain, model = build(kind).state_dict(), build(kind)
    count = sum(parameter.numel() for parameter in model.parameters())
    attach(model, "lora", {"rank": 2}, name="one")
    attach(model, "hydra", name="two")
    attach(model, "bottleneck", {"rank": 2}, name="three")
    attach(model, "lora", {"rank": 2}, name="four")
    found = Adapters(model).frozen_state()
    assert list(found) == list(plain)
    assert all(torch.equal(found[name], tensor) for name, tensor in plain.items())
    assert Adapters(model).count_frozen() == count


@pytest.mark.parametrize("method", [name for name, kind in METHODS.items() if kind.merges])
def test_a_merged_model_is_a_plain_one(method, build, run, disturb):
    model = build("bart")

    def calibrate(model):
        yield run("bart", model).square().mean()

    adapters = attach(model, method, calibrate=calibrate)
    disturb(adapters, "default")
    with torch.no_grad():
        expected = run("bart", model)
    adapters.merge()
    plain = build("bart")
    plain.load_state_dict(adapters.frozen_state())
    with torch.no_grad():
        found = run("bart", plain)
    assert float((found - expected).abs().max()) < 1e-4 * max(1.0, float(expected.abs().max()))
