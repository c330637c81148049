"""PEFT's Poly and Arrow through our calls, and against our banks."""

from types import SimpleNamespace

import pytest
import torch
from peft import PolyConfig, get_peft_model
from torch import nn

import fusion.routing.peers  # noqa: F401  (puts its method in the table)
from fusion.adapters.interface import Adapters, attach
from fusion.contract.context import Context
from fusion.routing.bank import attach_bank
from fusion.routing.presets import attach_preset

TASKS = torch.tensor([0, 1, 2, 1])
KNOWN = Context(values={"tasks": TASKS})
OPTIONS = {"rank": 2, "tasks": 3, "skills": 4, "heads": 2}


@pytest.fixture
def kind() -> str:
    return "whisper"


def test_pefts_poly_is_attached_counted_saved_loaded_and_dropped(
    kind, model, build, output, disturb, tmp_path
):
    before = output(kind, model)
    adapters = attach(model, "peft_poly", OPTIONS, name="poly")
    assert adapters.count("poly") == sum(p.numel() for p in adapters.parameters("poly"))
    assert adapters.count("poly") == 12 * (4 * 2 * 64 + 3 * 2 * 4)
    with adapters.context(KNOWN):
        assert torch.equal(output(kind, model), before)
        disturb(adapters, "poly")
        expected = output(kind, model)
    assert not torch.allclose(expected, before, atol=1e-3)
    adapters.save(tmp_path, "poly")
    other = build(kind)
    Adapters(other).load(tmp_path, "two")
    with Adapters(other).context(KNOWN):
        assert torch.equal(output(kind, other), expected)
    adapters.drop("poly")
    assert torch.equal(output(kind, model), before)


def test_the_bank_poly_equals_pefts_poly_on_a_whole_model(kind, model, build, output, disturb):
    peer = build(kind)
    adapters = attach(peer, "peft_poly", OPTIONS, name="poly")
    disturb(adapters, "poly")
    changes = {"rank": 2, "tasks": 3, "experts": 4, "heads": 2}
    bank = attach_preset(model, "mhr", changes)
    assert bank.count() == adapters.count("poly")
    named = adapters.named_parameters("poly")
    with torch.no_grad():
        for site, adapter in bank.sites.items():
            adapter.experts.down.copy_(named[f"{site}.poly_lora_A"])
            adapter.experts.up.copy_(named[f"{site}.poly_lora_B"])
            adapter.router.table.copy_(named[f"{site}.poly_router.module_logits"])
    with adapters.context(KNOWN):
        expected = output(kind, peer)
    with bank.route(tasks=TASKS):
        found = output(kind, model)
    assert float((found - expected).abs().max()) < 1e-5
    assert float((found - output(kind, build(kind))).abs().max()) > 1e-2


def test_a_file_that_peft_wrote_is_read(tmp_path):
    torch.manual_seed(0)
    layer = nn.Linear(6, 4)
    config = PolyConfig(target_modules=["0"], r=2, n_tasks=3, n_skills=4, n_splits=2)
    whole = get_peft_model(nn.Sequential(layer), config)  # type: ignore[arg-type]
    for name, parameter in whole.named_parameters():
        if "poly_" in name:
            nn.init.normal_(parameter)
    inputs = torch.randn(4, 5, 6)
    expected = whole.eval().base_model(inputs, task_ids=TASKS)
    whole.save_pretrained(str(tmp_path))
    fresh = nn.Sequential(nn.Linear(6, 4)).eval()
    fresh[0].load_state_dict({k: v for k, v in layer.state_dict().items() if "poly" not in k})
    adapters = Adapters(fresh)
    adapters.load(tmp_path, "one")
    with adapters.context(KNOWN):
        torch.testing.assert_close(fresh(inputs), expected)


def test_without_tasks_pefts_poly_says_how_to_give_them(linear):
    model = linear()
    attach(model, "peft_poly", OPTIONS, ["0"])
    with pytest.raises(ValueError, match="'peft_poly' needs tasks, and the context has none"):
        model(torch.randn(2, 3, 6))


def test_arrow_is_pefts_arrow():
    from peft.tuners.lora.arrow import ArrowLoraLinearLayer
    from peft.tuners.lora.config import ArrowConfig

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 8)).eval()
    options = {"router": "arrow", "rule": "top_k_softmax", "k": 2, "temperature": 0.5}
    bank = attach_bank(model, options | {"experts": 4, "rank": 3, "alpha": 6.0}, ["0"])
    experts = bank.sites["0"].experts
    nn.init.normal_(experts.up)
    config = ArrowConfig(top_k=2, router_temperature=0.5, rng_seed=0)
    config.task_adapter_names, config.gks_adapter_names = list("abcd"), []
    peer = ArrowLoraLinearLayer(12, config)
    downs = {n: SimpleNamespace(weight=w) for n, w in zip("abcd", experts.down, strict=True)}
    ups = {n: SimpleNamespace(weight=w.T) for n, w in zip("abcd", experts.up, strict=True)}
    peer.build_prototypes(downs, ups)
    inputs = torch.randn(2, 5, 12)
    expected = peer(inputs, downs, ups, nn.Identity(), dict.fromkeys("abcd", 2.0))
    torch.testing.assert_close(
        model(inputs) - model[0].forward(inputs), expected, atol=1e-5, rtol=1e-4
    )
    assert bank.count() == 4 * 3 * 20  # the router has nothing to train
    with torch.no_grad():
        experts.down.add_(1.0)  # the vectors are found anew
        peer._protos_ready = False
        peer.build_prototypes(downs, ups)
        expected = peer(inputs, downs, ups, nn.Identity(), dict.fromkeys("abcd", 2.0))
        found = model(inputs) - model[0].forward(inputs)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
