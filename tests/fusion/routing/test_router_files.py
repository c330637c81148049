"""Routers alone on disk, for the bank that they were trained on."""

import json

import pytest
import torch
from torch import nn

from fusion.routing.bank import attach_bank
from fusion.routing.router_files import load_router, save_router

OPTIONS = {"names": ("a", "b", "c"), "experts": 3, "trained": "router", "k": 2}


def build_bank(model: nn.Module, seed: int = 3, **changes):
    """Build a bank on a tiny layer; equal seeds give equal experts."""
    torch.manual_seed(seed)
    bank = attach_bank(model, OPTIONS | changes, ["0"])
    nn.init.normal_(bank.sites["0"].experts.up)
    return bank


@pytest.mark.parametrize("granularity", ["token", "model"])
def test_a_router_goes_to_a_bank_with_the_same_experts(linear, tmp_path, granularity):
    first = build_bank(linear(), granularity=granularity)
    nn.init.normal_(first.routers[0].gate)
    save_router(first, tmp_path)
    second = build_bank(linear(), granularity=granularity)
    nn.init.zeros_(second.routers[0].gate)
    inputs = torch.randn(2, 5, 6)
    assert not torch.equal(second.model(inputs), first.model(inputs))
    load_router(second, tmp_path)
    assert torch.equal(second.model(inputs), first.model(inputs))
    weights = (tmp_path / "router.safetensors").stat().st_size
    assert weights < 400  # 18 numbers and their names


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 4}, "its experts_digest is"),
        ({"names": ("a", "b", "d")}, "its experts is a, b, c, and that of bank 'bank' a, b, d"),
        ({"names": (), "experts": 4}, "its experts is a, b, c, and that of bank 'bank' 0, 1, 2, 3"),
        ({"granularity": "sample"}, "its granularity is token, and that of bank 'bank' sample"),
        ({"k": 3}, "its rule_options is .*'k': 2.*, and that .*'k': 3"),
    ],
)
def test_a_router_for_another_bank_is_refused_by_what_differs(linear, tmp_path, changes, told):
    save_router(build_bank(linear()), tmp_path)
    other = build_bank(linear(), **changes)
    gate = other.routers[0].gate.detach().clone()
    with pytest.raises(ValueError, match=f"is for another bank: {told}"):
        load_router(other, tmp_path)
    assert torch.equal(other.routers[0].gate, gate)


def test_what_is_no_router_is_told(linear, tmp_path):
    bank = build_bank(linear())
    with pytest.raises(FileNotFoundError, match="holds no router.json"):
        load_router(bank, tmp_path)
    (tmp_path / "router.json").write_text("{")
    with pytest.raises(ValueError, match="router.json is not JSON"):
        load_router(bank, tmp_path)
    (tmp_path / "router.json").write_text(json.dumps({"experts": []}))
    with pytest.raises(ValueError, match="router.json has other keys than experts"):
        load_router(bank, tmp_path)
