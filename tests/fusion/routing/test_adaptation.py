"""A trained bank on a new task: z-only adaptation, and the mean of skills."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from fusion.adapters.interface import attach
from fusion.routing.adaptation import mean_of_experts, route_new_tasks
from fusion.routing.bank import Bank
from fusion.routing.presets import attach_preset

DIM, SKILLS, SAMPLES = 64, 5, 16
PAIRS = [(a, b) for a in range(SKILLS) for b in range(a + 1, SKILLS)]


def hidden_changes() -> torch.Tensor:
    """Return what ten tasks do, each the mean of two of five skills of rank 2, [10, dim, dim]."""
    generator = torch.Generator().manual_seed(7)
    down = torch.randn(SKILLS, DIM, 2, generator=generator) / DIM**0.5
    skills = down @ torch.randn(SKILLS, 2, DIM, generator=generator)
    return torch.stack([(skills[a] + skills[b]) / 2 for a, b in PAIRS])


def train(loss_of, groups, steps: int) -> float:
    """Take steps of Adam, and return the last loss."""
    optimiser = torch.optim.Adam(groups, lr=0.02)
    loss = torch.zeros(())
    for _ in range(steps):
        optimiser.zero_grad()
        loss = loss_of()
        loss.backward()
        optimiser.step()
    return float(loss.detach())


def loss_on(model: nn.Module, weight, inputs, changes) -> torch.Tensor:
    """Compare what adapters add to a layer with what they should, changes [dim, dim] or a batch."""
    return (model(inputs) - inputs @ weight.T - inputs @ changes).square().mean()


def train_bank(model: nn.Module, weight, changes) -> Bank:
    """Train multi-head routing on some tasks."""
    tasks = len(changes)
    settings = {"experts": SKILLS, "rank": 8, "tasks": tasks, "heads": 4}
    bank = attach_preset(model, "mhr", settings, ["0"])
    table = [router.table for router in bank.routers]
    experts = [p for p in bank.parameters() if all(p is not t for t in table)]

    def loss_of() -> torch.Tensor:
        with bank.route(tasks=torch.arange(tasks)):
            return loss_on(model, weight, torch.randn(tasks, 16, DIM), changes)

    assert train(loss_of, [{"params": experts}, {"params": table, "lr": 0.1}], 400) < 0.05
    return bank


def test_routing_alone_learns_a_new_task_from_16_samples_better_than_a_fresh_lora():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(DIM, DIM, bias=False)).eval()
    weight, changes = model[0].weight.detach().clone(), hidden_changes()
    bank = train_bank(model, weight, changes[:-1])
    few, many = torch.randn(SAMPLES, 1, DIM), torch.randn(500, 1, DIM)
    route_new_tasks(bank)
    assert bank.count() == 4 * SKILLS == sum(p.numel() for p in bank.parameters())
    assert bank.options.router_options == {"tasks": 1}
    experts = bank.sites["0"].experts.up.detach().clone()
    first = torch.zeros(1, dtype=torch.long)
    with bank.route(tasks=first, each=True):
        group = [{"params": bank.parameters(), "lr": 0.1}]
        train(lambda: loss_on(model, weight, few, changes[-1]), group, 200)
        routed = float(loss_on(model, weight, many, changes[-1]).detach())
    assert torch.equal(bank.sites["0"].experts.up, experts)
    bank.drop()
    lora = attach(model, "lora", {"rank": 8}, ["0"]).parameters("default")
    train(lambda: loss_on(model, weight, few, changes[-1]), lora, 300)
    fresh = float(loss_on(model, weight, many, changes[-1]).detach())
    assert routed < 0.5 * fresh


@pytest.mark.parametrize("heads", [1, 4])
def test_the_mean_of_skills_is_the_bank_with_all_skills_alike(heads, linear, disturb):
    model = linear(8, 4).eval()
    bank = attach_preset(model, "mhr", {"heads": heads, "rank": 3}, ["0"])
    disturb(bank.adapters, "bank")
    with torch.no_grad():
        bank.routers[0].table.zero_()
    inputs = torch.randn(2, 5, 8)
    with torch.no_grad(), bank.route(tasks=torch.zeros(2, dtype=torch.long)):
        expected = model(inputs)
    adapters = mean_of_experts(bank, "mean")
    assert adapters.active == ["mean"] and adapters.count("mean") == 3 * 12
    with torch.no_grad():
        torch.testing.assert_close(model(inputs), expected, atol=1e-5, rtol=1e-4)


def test_the_mean_of_loras_keeps_their_scale(linear, disturb):
    model = linear(8, 4).eval()
    bank = attach_preset(model, "lora_mixer", {"rank": 2, "alpha": 6.0, "experts": 3}, ["0"])
    disturb(bank.adapters, "bank")
    experts = bank.sites["0"].experts
    inputs = torch.randn(2, 5, 8)
    plain = functional.linear(inputs, model[0].weight, model[0].bias)
    expected = plain + 3 * inputs @ experts.down.mean(0).T @ experts.up.mean(0)
    mean_of_experts(bank, "mean")
    torch.testing.assert_close(model(inputs), expected, atol=1e-5, rtol=1e-4)


def test_what_has_no_tasks_or_no_matrices_is_refused(linear, build):
    bank = attach_preset(linear(), "lora_mixer", None, ["0"])
    with pytest.raises(ValueError, match="weighed by 'features'; only 'tasks'"):
        route_new_tasks(bank)
    mos = attach_preset(build("whisper"), "mos")
    with pytest.raises(ValueError, match="are 'bottleneck'; only 'lora' and 'mixed_lora'"):
        mean_of_experts(mos, "mean")
