"""Gates over LoRAs that were trained before, on the model or on disk."""

import json

import pytest
import torch

from fusion.adapters.interface import Adapters, attach
from fusion.routing.ready_made import bank_of_folders, bank_of_loras

NAMES = ("babble", "car", "music")


@pytest.fixture
def kind() -> str:
    return "whisper"


@pytest.fixture
def with_loras(model, disturb) -> Adapters:
    """Three LoRAs of rank 2 with different scales."""
    for number, name in enumerate(NAMES):
        attach(model, "lora", {"rank": 2, "alpha": 2.0 + number}, name=name)
        disturb(Adapters(model), name, seed=number)
    return Adapters(model)


def choose(expert: int) -> torch.Tensor:
    return torch.eye(3)[[expert] * 4]


def test_each_expert_is_the_lora_that_it_was_made_of(with_loras, kind, model, output):
    bank = bank_of_loras(model, NAMES)
    assert bank.options.names == NAMES and bank.options.chosen == 2
    for number, name in enumerate(NAMES):
        bank.adapters.use("bank")
        with bank.route(weights=choose(number)):
            found = output(kind, model)
        bank.adapters.use(name)
        torch.testing.assert_close(found, output(kind, model), atol=1e-5, rtol=1e-4)


def test_gates_alone_are_trained_and_the_loras_stay_equal_to_the_bit(with_loras, kind, model, run):
    kept = {n: p.detach().clone() for n, p in with_loras.named_parameters("car").items()}
    bank = bank_of_loras(model, NAMES, changes={"k": 3})
    experts = {s: a.experts.up.detach().clone() for s, a in bank.sites.items()}
    assert bank.count() == 12 * 3 * 32
    optimiser = torch.optim.AdamW(bank.parameters(), lr=0.1, weight_decay=0.1)
    run(kind, model).square().mean().backward()
    assert all(p.grad is not None for p in bank.parameters())
    optimiser.step()
    assert all(torch.equal(a.experts.up, experts[s]) for s, a in bank.sites.items())
    assert all(torch.equal(p, kept[n]) for n, p in with_loras.named_parameters("car").items())


def test_loras_on_disk_are_taken_and_leave_nothing_else(
    with_loras, kind, model, build, output, tmp_path
):
    for name in NAMES:
        with_loras.save(tmp_path / name, name)
    fresh = build(kind)
    bank = bank_of_folders(fresh, {name: tmp_path / name for name in NAMES}, "lora_mixer")
    assert bank.adapters.names == ["bank"] and bank.options.chosen == 3
    with_loras.use("music")
    with bank.route(weights=choose(2)):
        found = output(kind, fresh)
    torch.testing.assert_close(found, output(kind, model), atol=1e-5, rtol=1e-4)


def test_loras_that_do_not_go_together_are_told_by_both_names(with_loras, model):
    attach(model, "lora", {"rank": 3}, name="rain")
    attach(model, "lora", {"rank": 2}, ("encoder.q",), name="wind")
    attach(model, "lora", {"rank": 2, "magnitudes": True}, name="dora")
    attach(model, "bitfit", name="bias")
    active, adapters = list(with_loras.selection.active), Adapters(model)
    for names, changes, told in (
        (("babble", "rain"), {}, "'babble' has rank 2, and 'rain' rank 3"),
        (("babble", "wind"), {}, "LoRA 'babble' is at .*, and 'wind' is not"),
        (("babble", "bias"), {}, "Adapter 'bias' is bitfit"),
        (("dora",), {}, "Adapter 'dora' is lora with magnitudes"),
        (NAMES, {"experts": 4}, "'experts' is 4, and the LoRAs babble, car, music make it 3"),
        (NAMES, {"k": 4}, "k is 4, the router has 3 experts"),
        ((), {}, "No LoRA is named"),
    ):
        with pytest.raises(ValueError, match=told):
            bank_of_loras(model, names, changes=changes)
        assert adapters.selection.active == active and "bank" not in adapters.names
    with pytest.raises(
        ValueError, match="Experts of 'poly' are 'mixed_lora', and 'babble' is 'lora'"
    ):
        bank_of_loras(model, NAMES, "poly")


def test_loras_of_different_base_models_are_refused_before_any_is_loaded(
    with_loras, build, kind, tmp_path
):
    for name, base in (("babble", "whisper-tiny.en"), ("car", "whisper-base.en")):
        with_loras.save(tmp_path / name, name)
        path = tmp_path / name / "adapter_config.json"
        config = json.loads(path.read_text()) | {"base_model_name_or_path": base}
        path.write_text(json.dumps(config))
    fresh = build(kind)
    told = "'babble' was trained on whisper-tiny.en, and 'car' on whisper-base.en"
    with pytest.raises(ValueError, match=told):
        bank_of_folders(fresh, {name: tmp_path / name for name in ("babble", "car")})
    assert Adapters(fresh).names == []


def test_experts_know_the_block_that_their_lora_is_in(with_loras, kind, model, run):
    bank = bank_of_loras(model, NAMES, changes={"granularity": "token_in_block"})
    layers = {adapter.group for adapter in bank.sites.values()}
    assert "" not in layers and len(layers) == len(bank.routers) == 4
    decodes = {site for site, adapter in bank.sites.items() if adapter.decodes}
    assert bool(decodes) == (kind == "whisper") and all("decoder" in site for site in decodes)
    run(kind, model)
