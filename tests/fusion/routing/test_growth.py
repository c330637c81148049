"""Banks that grow: old bytes stay, what the method promises of old outputs, files, bad input."""

from copy import deepcopy

import pytest
import torch
from torch import nn

import fusion.routing.peers  # noqa: F401
from fusion.adapters.interface import attach
from fusion.routing.bank import Bank, load_bank
from fusion.routing.growth import add_expert, expert_of, parameters_of_last
from fusion.routing.presets import attach_preset
from fusion.routing.router_files import load_router, save_router

# Form, router and granularity of banks on one linear layer.
KINDS = [
    {"form": "lora", "granularity": "token", "bias": True},
    {"form": "lora", "granularity": "model"},
    {"form": "lora", "router": "arrow"},
    {"form": "lora", "router": "given", "granularity": "sample", "rule": "one_hot"},
    {"form": "mixed_lora", "router": "given", "granularity": "sample", "heads": 2},
    {"form": "pyramid", "scales": (2, 1, 2), "router": "task_embedding", "embedded_tasks": 2},
    {"form": "pyramid", "scales": (1, 2, 2), "base": "model", "granularity": "block"},
]


def named(options: dict) -> str:
    return f"{options['form']}-{options.get('router', 'features')}"


@pytest.fixture(params=KINDS, ids=named)
def bank(request, linear, moved_bank) -> Bank:
    return moved_bank(linear(), {"experts": 3, "rank": 2} | request.param, ["0"])


def run(bank: Bank, inputs: torch.Tensor, expert: int | None = None) -> torch.Tensor:
    """Run the model, with the weights of one expert where its router does not decide."""
    weights = None
    if expert is not None or bank.options.router == "given":
        rows = torch.full((len(inputs),), expert or 0)
        weights = nn.functional.one_hot(rows, bank.options.experts).float()
    with bank.route(weights=weights):
        return bank.model(inputs)


def train(bank: Bank, steps: int = 3) -> None:
    optimiser = torch.optim.AdamW(bank.parameters(), 0.1, weight_decay=0.1)
    for _ in range(steps):
        optimiser.zero_grad()
        last = bank.options.experts - 1 if bank.options.router == "given" else None
        run(bank, torch.randn(2, 5, 6), last).square().mean().backward()
        optimiser.step()


def snapshot(bank: Bank) -> list[dict[str, torch.Tensor]]:
    count = bank.options.experts
    return [{k: t.clone() for k, t in expert_of(bank, n).items()} for n in range(count)]


def test_old_experts_and_columns_keep_their_bytes_through_growth_and_training(bank):
    experts = snapshot(bank)
    columns = [{k: t.clone() for k, t in router.state_dict().items()} for router in bank.routers]
    add_expert(bank)
    train(bank)
    for number, old in enumerate(experts):
        assert all(torch.equal(t, old[k]) for k, t in expert_of(bank, number).items())
    for router, old in zip(bank.routers, columns, strict=True):
        for name, tensor in router.state_dict().items():
            assert torch.equal(tensor[: len(old[name])], old[name])
            assert name == "embeddings" or len(tensor) == len(old[name]) + 1


def test_the_new_expert_and_its_column_are_all_that_is_trained(bank):
    add_expert(bank)
    before = snapshot(bank)[3]
    trained = {name: p.detach().clone() for name, p in parameters_of_last(bank).items()}
    assert set(trained) == set(before)
    train(bank)
    assert any(not torch.equal(p, trained[name]) for name, p in parameters_of_last(bank).items())
    assert bank.count() == sum(p.numel() for p in bank.parameters())
    assert all(p.requires_grad for p in bank.parameters())
    bank.hold()
    assert bank.count() == 0 and not bank.parameters()
    bank.hold(0)
    assert bank.count() == sum(p.numel() for p in bank.parameters()) > 0


def test_a_grown_bank_goes_to_disk_and_back_while_it_is_trained_and_after(bank, linear, tmp_path):
    add_expert(bank, name="rain")
    train(bank)
    inputs = torch.randn(2, 5, 6)
    for place in ("during", "after"):
        bank.save(tmp_path / place)
        loaded = load_bank(linear(), tmp_path / place)
        assert loaded.options == bank.options
        assert torch.equal(run(loaded, inputs), run(bank, inputs))
        assert loaded.count() == bank.count()
        assert [p.shape for p in loaded.parameters()] == [p.shape for p in bank.parameters()]
        bank.hold()
    assert loaded.options.expert_names == ("0", "1", "2", "rain")
    during, after = (
        (tmp_path / place / "adapter_model.safetensors").read_bytes()
        for place in ("during", "after")
    )
    assert during == after


def test_rows_of_old_experts_are_as_they_were_before_training(bank):
    if bank.options.router == "arrow":
        pytest.skip("its directions choose among the new one too")
    inputs = torch.randn(2, 5, 6)
    before = [run(bank, inputs, number) for number in range(3)]
    add_expert(bank)
    frozen = inputs @ bank.adapters.frozen_state()["0.weight"].T
    frozen = frozen + bank.adapters.frozen_state()["0.bias"]
    for number, old in enumerate(before):
        # Not to the bit: a sum over more experts, of which one alone is not 0, rounds apart.
        torch.testing.assert_close(run(bank, inputs, number), old, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(run(bank, inputs, 3), frozen)


def test_a_column_under_a_softmax_takes_weight_from_the_old_ones_at_once(linear, moved_bank):
    bank = moved_bank(linear(), {"experts": 2, "bias": True, "granularity": "sample"}, ["0"])
    inputs = torch.randn(2, 5, 6)
    with bank.route() as old:
        bank.model(inputs)
    add_expert(bank)
    with bank.route() as new:
        bank.model(inputs)
    before, after = old.decided[0].weights, new.decided[0].weights
    left = 1 - after[:, 2:]
    assert (left < 1).all()
    torch.testing.assert_close(after[:, :2], before * left)


def test_a_router_can_be_retrained_while_old_experts_stay(linear, moved_bank):
    bank = moved_bank(linear(), {"experts": 2, "rank": 2}, ["0"])
    experts, gate = snapshot(bank), bank.routers[0].gate.detach().clone()
    add_expert(bank, retrain_router=True)
    assert bank.count() == 2 * 10 + 3 * 6 == sum(p.numel() for p in bank.parameters())
    train(bank)
    assert not torch.equal(bank.routers[0].gate[:2], gate)
    for number, old in enumerate(experts):
        assert all(torch.equal(t, old[k]) for k, t in expert_of(bank, number).items())


def test_a_bank_grows_twice_and_copies_go_on_by_themselves(linear, moved_bank):
    bank = moved_bank(linear(), {"experts": 1, "rank": 2}, ["0"])
    for _ in range(2):
        add_expert(bank)
        train(bank)
    copy = Bank(deepcopy(bank.model))
    assert copy.count() == bank.count() == 2 * 10 + 6
    inputs = torch.randn(2, 5, 6)
    assert torch.equal(run(copy, inputs), run(bank, inputs))
    train(copy)
    assert not torch.equal(run(copy, inputs), run(bank, inputs))
    assert torch.equal(expert_of(copy, 1)["0.down"], expert_of(bank, 1)["0.down"])


def test_a_router_alone_fits_the_bank_that_has_grown_and_no_other(linear, moved_bank, tmp_path):
    bank = moved_bank(linear(), {"experts": 2}, ["0"])
    save_router(bank, tmp_path)
    add_expert(bank)
    with pytest.raises(ValueError, match="its experts is 0, 1, and that of bank 'bank' 0, 1, 2"):
        load_router(bank, tmp_path)
    save_router(bank, tmp_path)
    train(bank)
    bank.hold()
    with pytest.raises(ValueError, match="its experts_digest is"):
        load_router(bank, tmp_path)


@pytest.mark.parametrize(
    ("method", "blocks", "adapter", "column"),
    [("sema", 3, 25_360, 769), ("mos", 12, 304_320 // 12, 0)],
)
def test_growth_of_published_methods_costs_one_expert_and_column(method, blocks, adapter, column):
    from transformers import ViTConfig, ViTModel

    with torch.device("meta"):
        model = ViTModel(ViTConfig(), add_pooling_layer=False)
    bank = attach_preset(model, method)
    one = bank.count()
    assert one == blocks * (adapter + column)
    stored = bank.report().stored
    for number in (2, 3):
        add_expert(bank)
        assert bank.count() == one == sum(p.numel() for p in bank.parameters())
        assert bank.report().stored == number * stored


def test_a_bank_in_a_real_family_grows_in_all_blocks(build, output, moved_bank):
    model = build("whisper")
    bank = moved_bank(model, {"form": "bottleneck", "rank": 2, "granularity": "model"}, None)
    bank.hold(3)
    with torch.no_grad(), bank.route(lengths=torch.tensor([20, 9, 5, 2])):
        output("whisper", model)
    add_expert(bank, expert_of(bank, 1), "rain")
    assert len(bank.sites) == 4
    for site in bank.sites:
        name = f"{site}.experts.down"
        assert torch.equal(expert_of(bank, 4)[name], expert_of(bank, 1)[name])
    weights = torch.eye(5)[[1, 4, 1, 4]]
    with bank.route(weights=weights) as trace:
        output("whisper", model)
    assert all(routing.weights.shape == (4, 5) for _, routing in trace.taken)


def test_what_cannot_grow_is_told_in_one_line(linear, moved_bank):
    poly = attach_preset(linear(), "poly", {"tasks": 2}, ["0"])
    with pytest.raises(ValueError, match="'bank' cannot grow: router 'tasks' has a logit of every"):
        add_expert(poly)
    with pytest.raises(ValueError, match="Option 'held' is 4, and router 'tasks' has a logit"):
        poly.hold()
    bank = moved_bank(linear(), {"experts": 2, "names": ("a", "b")}, ["0"])
    before = snapshot(bank)
    with pytest.raises(ValueError, match="3 experts, and names for 2: a, b, a"):
        add_expert(bank, name="a")
    with pytest.raises(
        ValueError, match=r"0.down is \[1, 2, 6\] in what .* and \[1, 8, 6\] in the"
    ):
        add_expert(bank, {"0.down": torch.zeros(1, 2, 6), "0.up": torch.zeros(1, 8, 4)})
    with pytest.raises(ValueError, match="0.up is missing in what the expert begins with, and"):
        add_expert(bank, {"0.down": torch.zeros(1, 8, 6)})
    with pytest.raises(ValueError, match="Option 'held' is 3, and the bank has 2 experts"):
        bank.hold(3)
    with pytest.raises(ValueError, match="No expert 2; bank 'bank' has 2, from 0"):
        expert_of(bank, 2)
    with pytest.raises(ValueError, match="2 experts of bank 'bank' are trained; expected the last"):
        parameters_of_last(bank)
    assert bank.options.experts == 2 and bank.options.held == 0
    assert all(torch.equal(t, before[0][k]) for k, t in expert_of(bank, 0).items())


def test_a_poly_of_pefts_is_no_bank(linear):
    model = linear()
    attach(model, "peft_poly", {"rank": 2}, ["0"], name="peer")
    with pytest.raises(ValueError, match="Adapter 'peer' is peft_poly; expected a bank"):
        add_expert(Bank(model, "peer"))
