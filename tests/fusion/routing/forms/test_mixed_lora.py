"""LoRAs mixed in parameters, against PEFT's Poly."""

import pytest
import torch
from peft import PolyConfig
from peft.tuners.poly.layer import Linear as PolyLinear
from torch import nn

from fusion.contract.sites import find_sites
from fusion.routing.bank import attach_bank
from fusion.routing.contract import Routing
from fusion.routing.forms.mixed_lora import MixedLora, MixedLoraOptions

TASKS = torch.tensor([2, 0, 1, 2])


def build_pair(heads: int, rank: int = 3, skills: int = 5, tasks: int = 3):
    """Build PEFT's layer and a bank with the same numbers, both on one linear layer of 12 to 8."""
    torch.manual_seed(0)
    linear = nn.Linear(12, 8)
    sizes = dict(r=rank, n_tasks=tasks, n_skills=skills, n_splits=heads)
    peer = PolyLinear(linear, "one", PolyConfig(target_modules=["0"], **sizes))
    model = nn.Sequential(nn.Linear(12, 8))
    model[0].load_state_dict(linear.state_dict())
    options = {"form": "mixed_lora", "experts": skills, "heads": heads, "rank": rank}
    options |= {"router": "tasks", "tasks": tasks, "granularity": "sample"}
    bank = attach_bank(model, options | {"rule": "relaxed_bernoulli"}, ["0"])
    with torch.no_grad():
        peer.poly_lora_B["one"].normal_()
        peer.poly_router["one"].module_logits.normal_()
        ours = bank.sites["0"]
        ours.experts.down.copy_(peer.poly_lora_A["one"])
        ours.experts.up.copy_(peer.poly_lora_B["one"])
        bank.routers[0].table.copy_(peer.poly_router["one"].module_logits)
    return peer, model, bank


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_it_is_pefts_layer_to_1e_5(heads):
    peer, model, bank = build_pair(heads)
    inputs = torch.randn(4, 6, 12)
    peer.eval(), model.eval()
    with torch.no_grad():
        expected = peer(inputs, task_ids=TASKS)
        with bank.route(tasks=TASKS):
            found = model(inputs)
        plain = peer.base_layer(inputs)
    assert float((found - expected).abs().max()) < 1e-5 < 0.1 < float((found - plain).abs().max())


@pytest.mark.parametrize("heads", [1, 4])
def test_gradients_are_those_of_pefts_layer(heads):
    peer, model, bank = build_pair(heads)
    inputs = torch.randn(4, 6, 12)
    peer.eval(), model.eval()
    peer(inputs, task_ids=TASKS).square().sum().backward()
    with bank.route(tasks=TASKS):
        model(inputs).square().sum().backward()
    ours = bank.sites["0"].experts
    for found, expected in (
        (ours.down, peer.poly_lora_A["one"]),
        (ours.up, peer.poly_lora_B["one"]),
        (bank.routers[0].table, peer.poly_router["one"].module_logits),
    ):
        torch.testing.assert_close(found.grad, expected.grad, atol=1e-4, rtol=1e-4)


def test_in_training_weights_are_drawn_and_sum_to_one():
    _, model, bank = build_pair(2)
    model.train()
    inputs = torch.randn(4, 6, 12)
    with bank.route(tasks=TASKS, generator=torch.Generator().manual_seed(1)) as first:
        once = model(inputs)
    with bank.route(tasks=TASKS, generator=torch.Generator().manual_seed(1)) as again:
        twice = model(inputs)
    with bank.route(tasks=TASKS, generator=torch.Generator().manual_seed(2)):
        other = model(inputs)
    assert torch.equal(once, twice) and not torch.allclose(once, other)
    (weights,) = [routing.weights for routing in first.decided]
    assert weights.shape == (4, 2, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, 2))
    assert torch.equal(weights, again.decided[0].weights)


def test_one_skill_is_a_lora_of_scale_one_over_rank():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 8))
    (site,) = find_sites(model, ["0"])
    form = MixedLora(site, 1, MixedLoraOptions(rank=3, heads=2))
    nn.init.normal_(form.up)
    down, up = form.mixed(torch.ones(1, 2, 1))
    inputs = torch.randn(1, 6, 12)
    found = form(inputs, Routing(torch.ones(1, 2, 1)))
    torch.testing.assert_close(found, inputs @ down[0] @ up[0] / 3)
    assert torch.equal(down[0, :6], form.down[0, 0]) and torch.equal(down[0, 6:], form.down[1, 0])
    assert torch.equal(up[0, :, :4], form.up[0, 0]) and torch.equal(up[0, :, 4:], form.up[1, 0])


def test_heads_that_do_not_divide_are_refused_with_both_numbers():
    model = nn.Sequential(nn.Linear(12, 8))
    options = {"form": "mixed_lora", "heads": 3, "router": "tasks", "granularity": "sample"}
    with pytest.raises(ValueError, match="0 reads 12 features and returns 8; .* 3 heads"):
        attach_bank(model, options, ["0"])
    assert [name for name, _ in model.named_modules()] == ["", "0"]
