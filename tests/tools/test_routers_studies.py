from functools import partial

import pytest
import torch

from tools import digit_lessons, routers_entropy, routers_heads, routers_rewarded
from tools.digit_lessons import Way
from tools.noisy_digits import Clips
from tools.routers_entropy import information


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Two scenarios, and trainings of two steps, kept in a folder of the test."""
    for module in (routers_entropy, routers_heads, routers_rewarded):
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


def test_reward_trains_the_router_alone_over_loras(noisy_digits, quick, monkeypatch):
    monkeypatch.setattr(routers_rewarded, "SCENARIOS", ("clean", "hum"))
    monkeypatch.setattr(routers_rewarded, "ALONE", Way(2, 3e-3))
    monkeypatch.setattr(routers_rewarded, "CHOOSING", Way(2, 1e-2))
    found = routers_rewarded.run_chooser(noisy_digits, "ReMix, k = 1", 0)
    assert found["support"] == pytest.approx(1.0)
    assert all(sum(load) == pytest.approx(1.0) for load in found["chosen"].values())
    ear, bank = routers_rewarded.train_chooser(noisy_digits, "ReMix, k = 1", 0)
    trained = {name for name, p in ear.named_parameters() if p.requires_grad}
    assert trained and all("router" in name for name in trained)


def test_a_draw_that_errs_less_becomes_more_probable(noisy_digits, quick):
    ear = noisy_digits.build_ear()
    changes = {"experts": 2, "k": 1, "granularity": "block", "router_start": "zeros"}
    bank = routers_rewarded.attach_preset(ear, "remix", changes, ("fc1",))
    clips = noisy_digits.load(["clean"], "train").take(range(20))
    with torch.no_grad():
        bank.sites["layers.0.fc1"].experts.up[1] += 3.0 * torch.randn(8, 1536)
    losses = routers_rewarded.reward_losses(bank, 4, by_errors=True, experts=False)
    ear.train()
    losses(ear, clips)["loss"].backward()
    (router,) = bank.routers
    features = ear.layers[0].final_layer_norm  # what fc1 reads
    assert features is not None and router.gate.grad.abs().sum() > 0
    with torch.no_grad():
        router.gate -= router.gate.grad / router.gate.grad.norm()
    ear.eval()
    with bank.route() as trace:
        ear(clips.states)
    assert trace.decided[0].weights[:, 0].mean() > 0.9, "the expert that destroys is left"


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
