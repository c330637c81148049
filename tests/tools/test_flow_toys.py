import numpy as np
import pytest
import torch
from torch import nn

from tools import flow_toys
from tools.flow_toys import (
    TEST,
    TOYS,
    draw_eight_gaussians,
    draw_moons,
    follow,
    measure_flow,
    measure_toy,
    squared_distance,
)


class Shift(nn.Module):
    """Tells the same velocity everywhere."""

    def __init__(self, velocity):
        super().__init__()
        self.velocity = torch.tensor(velocity)

    def forward(self, noisy, times):
        return self.velocity.expand_as(noisy)


class Turn(nn.Module):
    """Turns points about the middle, an angle of 1 in all."""

    def forward(self, noisy, times):
        return torch.stack([-noisy[:, 1], noisy[:, 0]], 1)


def test_eight_gaussians_lie_on_a_circle_of_5_and_are_as_wide_as_torchcfms():
    points = draw_eight_gaussians(40_000, np.random.default_rng(0))
    angles = torch.atan2(points[:, 1], points[:, 0])
    near = (angles / (torch.pi / 4)).round() * (torch.pi / 4)
    centres = 5 * torch.stack([near.cos(), near.sin()], 1)
    assert float((points - centres).square().mean()) == pytest.approx(0.1**0.5, rel=0.05)
    _, counts = (near.round(decimals=2) % 6.28).unique(return_counts=True)
    assert float(points.mean(0).abs().max()) < 0.1 and counts.min() > 4000


def test_moons_have_the_middle_and_the_width_of_the_closed_form():
    points = draw_moons(40_000, np.random.default_rng(0))
    # Half circles have a mean height of 2 / pi: the moons' middle is (0.5, 0.25), then 3 x - 1.
    torch.testing.assert_close(points.mean(0), torch.tensor([0.5, -0.25]), atol=0.05, rtol=0)
    low, high = points[:, 0].quantile(torch.tensor([0.001, 0.999]))
    assert -6 < low < -4 and 5 < high < 7


def test_a_flow_of_one_velocity_has_its_energy_and_comes_as_far_by_any_steps():
    source = torch.randn(32, 2)
    for steps in (1, 4, 100):
        places, energy = follow(Shift([3.0, 4.0]), source, steps)
        assert places.shape == (steps + 1, 32, 2) and energy == pytest.approx(25.0)
        torch.testing.assert_close(places[-1], source + torch.tensor([3.0, 4.0]))


def test_few_steps_leave_a_bent_way_and_many_do_not():
    source = torch.tensor([[1.0, 0.0]])
    end = torch.tensor([[np.cos(1.0), np.sin(1.0)]], dtype=torch.float32)
    off = [float((follow(Turn(), source, n)[0][-1] - end).norm()) for n in (4, 100)]
    assert off[0] > 0.1 and off[1] < 0.01


def test_the_distance_of_points_is_that_of_the_best_pairing():
    pytest.importorskip("scipy")
    some = torch.randn(16, 2)
    assert squared_distance(some, some.flip(0) + torch.tensor([3.0, 4.0])) == pytest.approx(25.0)


def test_a_flow_that_is_right_reaches_the_floor_and_the_energy_of_the_best(monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.setattr(flow_toys, "POINTS", 200)
    toy = flow_toys.Toy(flow_toys.draw_normal, lambda n, r: flow_toys.draw_normal(n, r) + 4.0)
    found = measure_flow(Shift([4.0, 4.0]), toy, TEST)
    alone = measure_toy(toy)
    assert found["gap"] < 1e-5 and found["energy"] == pytest.approx(32.0)
    assert found["w2_many"] == pytest.approx(alone["floor"], abs=0.15)
    assert alone["squared"] == pytest.approx(32.0, rel=0.1)


def test_draws_of_validation_and_test_are_others():
    for toy in TOYS.values():
        one, other = (toy.draw(4, np.random.default_rng([seed, 0]))[0] for seed in (1, 2))
        assert not torch.equal(one, other)
