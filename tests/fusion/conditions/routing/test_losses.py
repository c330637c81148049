import pytest
import torch

from fusion.conditions.routing.losses import (
    Watched,
    expert_loss,
    mask_edge_loss,
    total_variation,
    uneven_load,
)
from fusion.routing.contract import Routing


def test_an_even_load_costs_nothing_and_one_expert_for_all_most():
    even = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    assert uneven_load(even[None]) == 0
    alone = torch.tensor([1.0, 0, 0, 0]).expand(2, 5, 4)
    assert uneven_load(alone) == pytest.approx(1 - 1 / 4)


def test_smooth_maps_cost_what_their_steps_are_high():
    flat = torch.full((1, 2, 4, 6), 0.3)
    assert total_variation(flat) == 0
    step = torch.zeros(1, 1, 4, 6)
    step[..., 3:] = 1.0  # one of 5 differences across in each row
    assert total_variation(step) == pytest.approx(1 / 5)


def test_a_mask_with_the_right_edges_costs_its_roughness_alone():
    wanted = torch.zeros(1, 1, 4, 6)
    wanted[..., 2:] = 1.0
    assert mask_edge_loss(wanted, wanted, roughness=0.0) == 0
    assert mask_edge_loss(0 * wanted, wanted, roughness=5.0) == pytest.approx(1 / 5)
    assert mask_edge_loss(wanted, wanted, roughness=1.0) == pytest.approx(2 / 6)  # two columns of 1


def test_losses_are_added_by_name():
    weights = torch.tensor([1.0, 0.0]).expand(1, 3, 2)
    watched = Watched(masks=[torch.ones(1, 1, 2, 2)], mixtures=[torch.ones(1, 2, 2, 2)])
    watched.trace.taken.append(("a", Routing(weights, weights, per_token=True)))
    assert expert_loss(watched, {"load": 2.0, "mixture": 1.0}) == pytest.approx(2 * 0.5)
    with pytest.raises(ValueError, match="needs where edits are to be"):
        expert_loss(watched, {"mask": 1.0})
    with pytest.raises(ValueError, match="'loads'; known: load, mask, mixture"):
        expert_loss(watched, {"loads": 1.0})
    with pytest.raises(ValueError, match="'load' has nothing to look at"):
        expert_loss(Watched(), {"load": 1.0})
