"""LoRAs side by side: what they add is the weighted sum of what each adds."""

import pytest
import torch
from torch import nn

from fusion.contract.sites import find_sites
from fusion.routing.contract import Routing
from fusion.routing.forms.lora import LoraExpertOptions, LoraExperts


@pytest.fixture
def form() -> LoraExperts:
    torch.manual_seed(0)
    (site,) = find_sites(nn.Sequential(nn.Linear(12, 8)), ["0"])
    form = LoraExperts(site, 5, LoraExpertOptions(rank=3, alpha=6.0))
    nn.init.normal_(form.up)
    return form


def added(form: LoraExperts, inputs, weights):
    """The sum of 2 w B A x, expert by expert; weights [batch, tokens, experts]."""
    each = [inputs @ a.T @ b for a, b in zip(form.down, form.up, strict=True)]
    return sum(2.0 * weights[..., number, None] * one for number, one in enumerate(each))


def test_tokens_get_the_weighted_sum_of_the_experts(form):
    inputs, weights = torch.randn(3, 7, 12), torch.rand(3, 7, 5)
    found = form(inputs, Routing(weights, per_token=True))
    torch.testing.assert_close(found, added(form, inputs, weights), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("chosen", [1, 2])
def test_few_chosen_experts_add_the_same_as_all_with_weights_of_zero(form, chosen):
    inputs, weights = torch.randn(3, 7, 12), torch.rand(3, 7, 5)
    weights = weights.masked_fill(weights < weights.topk(chosen).values[..., -1:], 0.0)
    found = form(inputs, Routing(weights, per_token=True, chosen=chosen))
    torch.testing.assert_close(found, added(form, inputs, weights), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("chosen", [None, 2])
def test_samples_are_weighed_as_their_tokens_all_alike(form, chosen):
    inputs, weights = torch.randn(3, 7, 12), torch.rand(3, 5)
    if chosen:
        weights = weights.masked_fill(weights < weights.topk(chosen).values[..., -1:], 0.0)
    found = form(inputs, Routing(weights, chosen=chosen))
    spread = weights[:, None].expand(-1, 7, -1)
    torch.testing.assert_close(found, added(form, inputs, spread), atol=1e-5, rtol=1e-4)


def test_rank_stabilised_experts_are_scaled_by_the_root():
    assert LoraExpertOptions(rank=4, alpha=8.0).scale == 2.0
    assert LoraExpertOptions(rank=4, alpha=8.0, rank_stabilised=True).scale == 4.0
