"""Losses of a bank over what was watched."""

import pytest
import torch
from torch import nn

from fusion.routing.bank import Bank, attach_bank
from fusion.routing.losses import label_cross_entropy, load_balance
from fusion.routing.training import router_loss

LABELS = torch.tensor([0, 2, 1, 3])


def watch(model: nn.Module, bank: Bank, inputs, **known):
    with bank.route(**known) as trace:
        model(inputs)
    return trace


@pytest.fixture
def two() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))


def test_labels_are_a_mean_over_sites_and_real_tokens(two):
    bank = attach_bank(two, {"router_start": "normal"}, ["0", "1"])
    inputs = torch.randn(4, 5, 6)
    trace = watch(two, bank, inputs, lengths=torch.tensor([5, 3, 1, 5]))
    found = router_loss(bank, trace, {"labels": 50.0}, labels=LABELS)
    mask = torch.arange(5) < torch.tensor([5, 3, 1, 5])[:, None]
    spread = LABELS[:, None].expand(4, 5)
    each = [label_cross_entropy(r.logits[mask], spread[mask]) for _, r in trace.taken]
    torch.testing.assert_close(found, 50 * (each[0] + each[1]) / 2)
    found.backward()
    assert all(router.gate.grad.abs().sum() > 0 for router in bank.routers)
    assert bank.sites["1"].experts.up.grad is None  # no site comes after it


def test_a_decision_that_sites_share_counts_once(two):
    bank = attach_bank(two, {"granularity": "model", "bias": True}, ["0", "1"])
    trace = watch(two, bank, torch.randn(4, 5, 6))
    assert len(trace.taken) == 2 and len(trace.decided) == 1
    (routing,) = trace.decided
    expected = load_balance(routing.logits.softmax(-1), routing.weights)
    torch.testing.assert_close(router_loss(bank, trace, {"balance": 2.0}), 2 * expected)


@pytest.mark.parametrize(("factor", "sharper"), [(1.0, True), (-1.0, False)])
def test_entropy_makes_rows_decided_or_flat_by_the_sign_of_its_factor(two, factor, sharper):
    bank = attach_bank(two, {"router_start": "normal", "std": 0.3}, ["0", "1"])
    inputs = torch.randn(4, 5, 6)
    optimiser = torch.optim.SGD([router.gate for router in bank.routers], lr=0.5)
    before = bank.report(watch(two, bank, inputs)).sites["0"].entropy
    for _ in range(20):
        optimiser.zero_grad()
        router_loss(bank, watch(two, bank, inputs), {"entropy": factor}).backward()
        optimiser.step()
    after = bank.report(watch(two, bank, inputs)).sites["0"].entropy
    assert (after < before - 0.05) if sharper else (after > before + 0.005)


def test_tasks_train_the_embeddings_of_a_pyramid(two):
    options = {"router": "task_embedding", "embedded_tasks": 4}
    bank = attach_bank(two, options, ["0", "1"])
    trace = watch(two, bank, torch.randn(4, 5, 6), tasks=LABELS)
    router_loss(bank, trace, {"tasks": 0.1}, tasks=LABELS).backward()
    assert all(router.embeddings.grad.abs().sum() > 0 for router in bank.routers)
    assert bank.routers[1].gate.grad is None


def test_reward_teaches_a_router_what_no_gradient_reaches(two):
    torch.manual_seed(0)
    options = {"rule": "constant_subset", "k": 2, "granularity": "model", "experts": 4}
    bank = attach_bank(two, options | {"router_start": "zeros", "bias": True}, ["0", "1"])
    two.train()
    optimiser = torch.optim.Adam([bank.routers[0].bias], lr=0.1)
    inputs, draws = torch.randn(4, 5, 6).repeat(8, 1, 1), 8
    for _ in range(60):
        trace = watch(two, bank, inputs)
        weights = trace.decided[0].weights  # [draws * batch, experts]
        costs = (weights[:, 1] == 0).float() + (weights[:, 3] == 0).float()
        optimiser.zero_grad()
        router_loss(bank, trace, {"reward": 1.0}, costs=costs.view(draws, 4)).backward()
        optimiser.step()
    two.eval()
    chosen = watch(two, bank, inputs).decided[0].weights[0]
    assert chosen.tolist() == [0, 0.5, 0, 0.5]
    assert bank.report(watch(two, bank, inputs)).sites["0"].support == pytest.approx(2)


def test_what_a_loss_lacks_is_told(two):
    bank = attach_bank(two, {}, ["0", "1"])
    inputs = torch.randn(4, 5, 6)
    trace = watch(two, bank, inputs)
    for loss, lacks in (("labels", "labels"), ("reward", "costs")):
        with pytest.raises(ValueError, match=f"Loss '{loss}' needs {lacks}, and none are given"):
            router_loss(bank, trace, {loss: 1.0})
    with pytest.raises(ValueError, match="trains embeddings .* the router is 'features'"):
        router_loss(bank, trace, {"tasks": 1.0}, tasks=LABELS)
    with pytest.raises(ValueError, match="drawn, and 'softmax_top_k' drew none"):
        router_loss(bank, trace, {"reward": 1.0}, costs=torch.zeros(2, 2))
    with pytest.raises(ValueError, match="the router has 4 experts"):
        router_loss(bank, trace, {"labels": 1.0}, labels=LABELS + 1)
    with pytest.raises(ValueError, match="'loss' is 'label'; known: labels"):
        router_loss(bank, trace, {"label": 1.0}, labels=LABELS)
    given = watch(two, bank, inputs, weights=torch.ones(4, 4))
    with pytest.raises(ValueError, match="'labels' needs a router's logits, and these weights"):
        router_loss(bank, given, {"labels": 1.0}, labels=LABELS)
