"""Adapters of several tasks that share a module."""

import pytest
import torch

from fusion.adapters.interface import attach
from fusion.procedures.sharing import count_together, tie


def test_tied_adapters_share_and_stay_apart_in_the_rest(build, disturb):
    model = build("bart")
    for name in ("vqa", "gqa"):
        adapters = attach(model, "bottleneck", {"rank": 4}, name=name)
    tie(adapters, ["vqa", "gqa"], "up")
    ups = 10 * (4 * 32 + 32)  # five sub-layers in each of two layers
    assert count_together(adapters, ["vqa", "gqa"]) == 2 * adapters.count("vqa") - ups
    disturb(adapters, "vqa", seed=1)
    disturb(adapters, "gqa", seed=2)
    shared = adapters.named_parameters("vqa"), adapters.named_parameters("gqa")
    for name in shared[0]:
        assert torch.equal(shared[0][name], shared[1][name]) == (".up." in name)
    with pytest.raises(ValueError, match="no module 'middle' to tie; it has: .*down, up"):
        tie(adapters, ["vqa", "gqa"], "middle")
    attach(model, "hydra", name="other")
    with pytest.raises(ValueError, match="expected two or more, each of one method"):
        tie(adapters, ["vqa", "other"], "up")
