"""The entries that SHiRA's masks choose."""

import pytest
import torch
from torch import nn

from fusion.adapters.interface import attach


def best(scores: torch.Tensor, count: int) -> torch.Tensor:
    return scores >= scores.flatten().sort(descending=True).values[count - 1]


def test_masks_that_look_at_the_weight_or_at_data_take_the_best_entries(
    linear, calibrate_linear, entries_of
):
    model = linear()
    weight = model[0].weight.clone()
    probe = linear().requires_grad_(True)
    for loss in calibrate_linear(probe):
        loss.backward()
    gradient = probe[0].weight.grad
    scores = {"magnitude": weight, "gradient": gradient, "snip": weight * gradient}
    for mask, score in scores.items():
        options = {"rank": 1, "mask": mask}
        attach(model, "shira", options, ["0"], name=mask, calibrate=calibrate_linear)
        assert torch.equal(entries_of(model, key=mask), best(score.abs(), 10))
    assert not any(p.requires_grad for n, p in model.named_parameters() if "shira" not in n)


@pytest.mark.parametrize("shape", [(30, 40), (40, 30), (32, 32)])
def test_struct_mask_is_the_diagonal_and_evenly_spaced_lines(shape, linear, entries_of):
    model = linear(shape[1], shape[0])
    attach(model, "shira", {"rank": 3, "mask": "struct"}, ["0"])
    mask = entries_of(model)
    assert mask.sum() == 3 * sum(shape)
    assert bool(mask.diagonal().all())
    lines = mask if shape[0] <= shape[1] else mask.T
    whole = lines.all(1).nonzero().flatten()
    partial = (lines.sum(1) > 1).sum() - len(whole)
    assert len(whole) >= 4 and partial <= 1
    assert torch.linalg.matrix_rank(mask.float()) > 3 + len(whole)


def test_random_masks_differ_between_layers_and_repeat_with_the_seed(entries_of):
    def masks(seed: int) -> list[torch.Tensor]:
        model = nn.Sequential(nn.Linear(20, 20), nn.Linear(20, 20))
        attach(model, "shira", {"rank": 2, "seed": seed}, ["0", "1"])
        return [entries_of(model, name) for name in ("0", "1")]

    first, again, other = masks(1), masks(1), masks(2)
    assert all(mask.sum() == 2 * 40 for mask in first)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], first[1]) and not torch.equal(first[0], other[0])


def test_data_are_looked_at_without_the_adapters_that_are_on(
    disturb, linear, calibrate_linear, entries_of
):
    plain, adapted = linear(), linear()
    disturb(attach(adapted, "hydra", where=["0"], name="other"), "other")
    for model in (plain, adapted):
        options = {"rank": 1, "mask": "gradient"}
        attach(model, "shira", options, ["0"], name="one", calibrate=calibrate_linear)
    assert torch.equal(entries_of(plain, key="one"), entries_of(adapted, key="one"))
