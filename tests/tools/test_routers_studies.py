from functools import partial

import pytest
import torch

from tools import digit_lessons, routers_entropy, routers_heads, routers_rewarded, routers_support
from tools.digit_lessons import Way
from tools.noisy_digits import Clips
from tools.routers_entropy import information


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Two scenarios, and trainings of two steps, kept in a folder of the test."""
    for module in (routers_entropy, routers_heads, routers_support):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
        monkeypatch.setattr(module, "TASKS", ("clean", "hum"))
    monkeypatch.setattr(digit_lessons, "BATCH", 4)
    return tmp_path


def test_methods_are_compared_at_equal_parameters_but_for_their_tables(noisy_digits, quick):
    one, poly, mhr = (
        routers_heads.build(noisy_digits, name, 0).parameters for name in routers_heads.METHODS
    )
    sites, tasks, skills = 6, 2, 4
    assert poly == one + sites * tasks * skills
    assert mhr == one + sites * tasks * skills * routers_heads.HEADS


def test_a_new_scenario_is_learnt_by_routing_alone(noisy_digits, quick, monkeypatch):
    monkeypatch.setattr(routers_heads, "STEPS", 2)
    monkeypatch.setattr(routers_heads, "choose_rate", lambda data, method: 0.01)
    clips = noisy_digits.load(["white"], "train", 8)
    way = Way(2, 0.1)
    adapt = partial(routers_heads.adapt, noisy_digits, way=way, clips=clips, seed=0)
    before = routers_heads.train_tasks(noisy_digits, "MHR", 0.01, 0)
    made = adapt("MHR, z alone", place=quick / "z")
    for site, adapter in made.bank.sites.items():
        assert torch.equal(adapter.experts.up, before.bank.sites[site].experts.up)
        assert adapter.router.table.shape == (1, 32)
        assert adapter.router.table.abs().mean() > 0.01, "routing has moved"
    mean = adapt("MHR, the mean of its skills", place=quick / "mean")
    assert mean.bank is None and mean.ear(clips.states.float()).isfinite().all()


@pytest.fixture
def over_loras(quick, monkeypatch):
    monkeypatch.setattr(routers_rewarded, "SCENARIOS", ("clean", "hum"))
    monkeypatch.setattr(routers_rewarded, "ALONE", Way(2, 3e-3))
    monkeypatch.setattr(routers_rewarded, "CHOOSING", Way(20, 1e-2))


def test_a_choosing_router_alone_is_trained_over_loras(noisy_digits, over_loras):
    found = routers_rewarded.run_chooser(noisy_digits, "ReMix, k = 1", 0)
    assert found["support"] == pytest.approx(1.0)
    assert all(sum(load) == pytest.approx(1.0) for load in found["chosen"].values())
    ear, bank = routers_rewarded.train_chooser(noisy_digits, "ReMix, k = 1", 0)
    trained = {name for name, p in ear.named_parameters() if p.requires_grad}
    assert len(trained) == len(bank.routers) == 1, "one decision for a clip"
    assert all("router" in name for name in trained)
    assert set(routers_rewarded.run_given(noisy_digits, "its own", 0)["errors"]) == {"clean", "hum"}


def test_what_a_draw_costs_is_what_the_bank_makes_of_it(noisy_digits, over_loras):
    ear, bank = routers_rewarded.gather(noisy_digits, 1, 0)
    for adapter in bank.sites.values():  # the second expert destroys what it touches
        adapter.experts.up.data[1] += torch.randn(adapter.experts.up.shape[1:])
    clips = noisy_digits.load(["clean"], "train").take(range(20))
    outcomes = routers_rewarded.try_all(ear, bank, clips)
    assert outcomes.subsets.tolist() == [[True, False], [False, True]]
    weights = torch.eye(2)[[1, 0]].repeat(10, 1)
    with torch.no_grad(), bank.route(weights=weights):
        wrong = ear(clips.states).argmax(-1) != clips.digits
    assert torch.equal(outcomes.costs(torch.arange(20), weights), wrong.float())
    assert outcomes.wrong[:, 1].double().mean() > outcomes.wrong[:, 0].double().mean()


def test_a_draw_that_errs_less_becomes_more_probable(noisy_digits, over_loras):
    _, bank = routers_rewarded.gather(noisy_digits, 1, 0)
    features, clips = torch.randn(30, 384), torch.arange(30)
    wrong = torch.tensor([[True, False]]).expand(30, 2)
    outcomes = routers_rewarded.Outcomes(features, wrong, torch.eye(2) > 0)
    logits = torch.zeros(30, 2, requires_grad=True)
    draws = torch.Generator().manual_seed(0)
    routers_rewarded.reward_of_draws(bank, logits, clips, outcomes, draws).backward()
    assert logits.grad is not None
    assert logits.grad[:, 0].sum() > 0 > logits.grad[:, 1].sum(), "descent goes to the second"


def test_experts_learn_with_a_router_that_draws(noisy_digits, quick, monkeypatch):
    monkeypatch.setattr(routers_support, "TOGETHER", Way(2, 3e-3))
    found = routers_support.run_together(noisy_digits, "ReMix, errors", 0)
    assert found["support"] == found["start"] == pytest.approx(routers_support.K)
    found = routers_support.run_together(noisy_digits, "softmax, N(0, 1)", 0)
    assert 1 <= found["support"] <= routers_support.K


def test_information_is_none_where_all_are_served_alike_and_full_where_apart():
    labels = torch.tensor([0, 0, 1, 1])
    apart = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert information(apart, labels) == pytest.approx(1.0)
    assert information(torch.full((4, 2), 0.5), labels) == pytest.approx(0.0, abs=1e-9)


def test_signs_are_trained_and_measured(noisy_digits, quick, monkeypatch):
    monkeypatch.setattr(routers_entropy, "WAY", Way(2, 3e-3))
    found = routers_entropy.run_sign(noisy_digits, "the text's, +1", 10, 0)
    assert 0 <= found["entropy"] <= 1.8 and 1 <= found["support"] <= 3
    assert set(found["errors"]) == {"clean", "hum"}
    clips = Clips(torch.zeros(4, 40, 384), torch.zeros(4).long(), torch.zeros(4).long())
    ear, bank = routers_entropy.train_sign(noisy_digits, "the text's, +1", 10, 0)
    both = [
        routers_entropy.sign_losses(bank, factor)(ear, clips)["routed"].item()
        for factor in (-1.0, 1.0)
    ]
    assert both[0] < both[1]
