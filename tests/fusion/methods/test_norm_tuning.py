"""Norms of all kinds, under the methods that tune them."""

import pytest
import torch
from torch import nn

from fusion.adapters.interface import attach


def norms() -> dict[str, nn.Module]:
    from transformers.models.llama.modeling_llama import LlamaRMSNorm
    from transformers.models.t5.modeling_t5 import T5LayerNorm

    return {
        "LayerNorm": nn.LayerNorm(12, eps=0.1),
        "LayerNorm without bias": nn.LayerNorm(12, bias=False),
        "RMSNorm": nn.RMSNorm(12),
        "LlamaRMSNorm": LlamaRMSNorm(12, eps=0.1),
        "T5LayerNorm": T5LayerNorm(12, eps=0.1),
    }


@pytest.mark.parametrize("norm", list(norms()))
@pytest.mark.parametrize("method", ["norm_tuning", "sparse_tuning", "scale_shift"])
def test_norms_of_all_kinds_change_as_their_own_parameters_would(norm, method, disturb, inputs_of):
    model = nn.Sequential(norms()[norm])
    with torch.no_grad():
        model[0].weight += 0.1 * torch.arange(12)
    adapters = attach(model, method, None, ("0",))
    assert adapters.count("default") == sum(p.numel() for p in adapters.parameters("default"))
    disturb(adapters, "default")
    expected = model(inputs_of())
    frozen = model[0].weight.clone()
    adapters.merge()
    assert not torch.equal(model[0].weight, frozen)
    torch.testing.assert_close(model(inputs_of()), expected)
