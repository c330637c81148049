"""The tuner: what sites share goes with the model, and PEFT runs our methods."""

from copy import deepcopy

import pytest
import torch
from peft import PeftModel, get_peft_model
from torch import nn

from fusion.adapters.interface import Adapters, attach
from fusion.adapters.tuner import MethodConfig

CLOSE = dict(atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", ["compacter", "hyperformer"])
def test_a_copy_of_the_model_shares_among_its_own_sites(build, run, disturb, method):
    model = build("ast")
    fresh = run("ast", model)
    adapters = attach(model, method, {"rank": 4})
    disturb(adapters, "default")
    expected = run("ast", model)
    copied = deepcopy(model)
    shared = [
        parameter
        for name, parameter in Adapters(copied).named_parameters("default").items()
        if ".shared." in name or name.endswith("up.bias")
    ]
    assert torch.equal(run("ast", copied), expected)
    with torch.no_grad():
        for parameter in shared:
            parameter.zero_()
    torch.testing.assert_close(run("ast", copied), fresh)
    assert torch.equal(run("ast", model), expected)


@pytest.mark.parametrize("method", ["compacter", "hyperformer"])
def test_what_is_shared_moves_with_the_model(build, run, disturb, method):
    model = build("bart")
    disturb(attach(model, method, {"rank": 4}), "default")
    expected = run("bart", model)
    found = run("bart", model.double())
    assert found.dtype == torch.float64
    torch.testing.assert_close(found.float(), expected, **CLOSE)


def test_a_method_of_ours_goes_through_peft(kind, build, run, tmp_path):
    config = MethodConfig(method="hydra", options={"rank": 3}, where=["fc2"])
    wrapped = get_peft_model(build(kind), config)
    trained = [p for p in wrapped.parameters() if p.requires_grad]
    for parameter in trained:
        nn.init.normal_(parameter, std=0.1)
    wrapped.eval().save_pretrained(str(tmp_path))
    again = PeftModel.from_pretrained(build(kind), str(tmp_path)).eval()
    ours = build(kind)
    Adapters(ours).load(tmp_path, "one")
    with torch.no_grad():
        expected = run(kind, wrapped.base_model.model)
        assert not torch.allclose(expected, run(kind, build(kind)), atol=1e-4)
        assert torch.equal(run(kind, again.base_model.model), expected)
        assert torch.equal(run(kind, ours), expected)
