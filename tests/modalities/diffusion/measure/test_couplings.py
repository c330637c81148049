import math
from itertools import permutations

import pytest
import torch

from modalities.diffusion.measure.couplings import (
    ExactTransport,
    Given,
    Independent,
    SinkhornTransport,
)


def draw_ends(rows: int, dim: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(rows)
    return tuple(torch.randn(rows, dim, generator=generator) for _ in range(2))  # type: ignore


@pytest.mark.parametrize("cost", ["squared", "norm"])
@pytest.mark.parametrize("rows", [1, 2, 6])
def test_exact_transport_costs_what_the_best_of_all_orders_costs(rows, cost):
    pytest.importorskip("scipy")
    source, target = draw_ends(rows)

    def total(order):
        each = (source[list(order)] - target).norm(dim=1)
        return float((each**2 if cost == "squared" else each).sum())

    order = ExactTransport(cost).order(source, target).tolist()
    assert sorted(order) == list(range(rows))
    best = min(total(other) for other in permutations(range(rows)))
    assert total(order) == pytest.approx(best, rel=1e-5)


def test_a_plan_of_two_by_two_is_the_closed_form():
    """With even ends, p on the diagonal: (p / (1/2 - p))^2 = K11 K22 / (K12 K21)."""
    source, target = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.2], [1.5]])
    epsilon = 0.7
    costs = (source - target.T) ** 2
    ratio = math.exp(-float(costs[0, 0] + costs[1, 1] - costs[0, 1] - costs[1, 0]) / epsilon / 2)
    p = ratio / (1 + ratio) / 2
    plan = SinkhornTransport(epsilon, tolerance=1e-6).plan(source, target)
    expected = torch.tensor([[p, 0.5 - p], [0.5 - p, p]])
    torch.testing.assert_close(plan, expected, atol=1e-6, rtol=0)


def test_plans_have_even_ends_and_are_a_kernel_scaled_by_rows_and_columns():
    source, target = draw_ends(12)
    plan = SinkhornTransport(0.8, tolerance=1e-5).plan(source, target).double()
    for axis in (0, 1):
        torch.testing.assert_close(
            plan.sum(axis), torch.full((12,), 1 / 12).double(), rtol=1e-4, atol=0
        )
    costs = torch.cdist(source.double(), target.double()).square()
    left = plan.log() + costs / 0.8  # a sum of a row's and a column's number: of rank 2 at most
    torch.testing.assert_close(
        left - left.mean(0) - left.mean(1, keepdim=True) + left.mean(),
        torch.zeros(12, 12).double(),
        atol=1e-3,
        rtol=0,
    )


def test_plans_go_from_chance_to_the_exact_transport():
    pytest.importorskip("scipy")
    source, target = draw_ends(8)
    wide = SinkhornTransport(1e6).plan(source, target)
    torch.testing.assert_close(wide, torch.full((8, 8), 1 / 64), rtol=1e-3, atol=0)
    narrow = SinkhornTransport(0.02, rounds=5000).order(source, target)
    assert torch.equal(narrow, ExactTransport().order(source, target))


def test_sources_are_drawn_as_often_as_the_plan_says():
    torch.manual_seed(0)
    source, target = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [1.0]])
    coupling = SinkhornTransport(1.0)
    share = float(2 * coupling.plan(source, target)[0, 0])
    drawn = torch.stack([coupling.order(source, target) for _ in range(3000)])
    assert float((drawn[:, 0] == 0).float().mean()) == pytest.approx(share, abs=0.03)


def test_independent_parts_pairs_and_given_leaves_them():
    source, target = draw_ends(64)
    order = Independent().order(source, target, torch.Generator().manual_seed(0))
    assert sorted(order.tolist()) == list(range(64)) and order.tolist() != list(range(64))
    assert Given().order(source, target) is None


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: ExactTransport("far"), "known: norm, squared"),
        (lambda: SinkhornTransport(0.0), "epsilon is 0.0"),
        (lambda: SinkhornTransport(rounds=0), "rounds 0"),
    ],
)
def test_what_cannot_be_is_told(make, told):
    with pytest.raises(ValueError, match=told):
        make()
