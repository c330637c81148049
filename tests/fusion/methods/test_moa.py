"""Mixtures of adapters against loops over experts, and where they stand in a block."""

import pytest
import torch
from torch.nn import functional

from fusion.adapters.interface import attach
from fusion.contract.sites import find_sites
from fusion.methods.moa import DenseMoa, MoaOptions, SoftMoa, SoftMoaOptions

CLOSE = dict(atol=1e-5, rtol=1e-4)
BATCH, TOKENS, DIM = 3, 7, 32


@pytest.fixture
def site(build):
    return find_sites(build("ast"), ("attention",), "sublayer")[0]


@pytest.fixture
def tokens():
    return torch.randn(BATCH, TOKENS, DIM, generator=torch.Generator().manual_seed(0))


def filled(adapter):
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 4)
    return adapter


def one_expert(adapter, number, tokens):
    experts = adapter.experts
    narrow = functional.gelu(tokens @ experts.down[number] + experts.down_bias[number])
    return narrow @ experts.up[number] + experts.up_bias[number]


@pytest.mark.parametrize("slots", [1, 3])
def test_soft_moa_is_what_the_paper_writes(site, tokens, slots):
    adapter = filled(SoftMoa(site, SoftMoaOptions(rank=4, experts=5, slots=slots)))
    for row in range(BATCH):
        scores = tokens[row] @ adapter.routing
        dispatch = torch.exp(scores) / torch.exp(scores).sum(0, keepdim=True)
        combine = torch.exp(scores) / torch.exp(scores).sum(1, keepdim=True)
        expected = torch.zeros(TOKENS, DIM)
        for slot in range(5 * slots):
            read = (dispatch[:, slot, None] * tokens[row]).sum(0)
            expected += combine[:, slot, None] * one_expert(adapter, slot // slots, read)
        torch.testing.assert_close(adapter.mix(tokens)[row], expected, **CLOSE)


def test_dense_moa_is_the_weighted_sum_of_its_adapters(site, tokens):
    adapter = filled(DenseMoa(site, MoaOptions(rank=4, experts=5)))
    gates = functional.softmax(adapter.router(tokens), -1)
    expected = sum(gates[..., n, None] * one_expert(adapter, n, tokens) for n in range(5))
    torch.testing.assert_close(adapter.mix(tokens), expected, **CLOSE)


def test_one_expert_of_a_dense_mixture_is_a_bottleneck(site, tokens):
    adapter = filled(DenseMoa(site, MoaOptions(rank=4, experts=1)))
    torch.testing.assert_close(adapter.mix(tokens), one_expert(adapter, 0, tokens), **CLOSE)


PLACES = [(mode, order) for mode in ("parallel", "sequential") for order in ("before", "after")]


@pytest.mark.parametrize(("mode", "order"), PLACES)
@pytest.mark.parametrize("where", ["attention", "mlp"])
def test_each_place_in_a_block_is_the_one_named_and_added_once(build, mode, order, where, tokens):
    """One block by hand; adding twice, as the authors' code does, would be seen."""
    block = build("ast").layers[0]
    options = {"rank": 4, "experts": 2, "site": where, "mode": mode, "order": order}
    plain = build("ast")
    plain.load_state_dict(plain.state_dict())
    model = build("ast")
    adapters = attach(model, "soft_moa", options, layers=[0])
    [part] = adapters.parts("default")
    [name] = part.sites
    adapter = model.get_submodule(name).mcgurk_site.mcgurk_adapters["default"]
    filled(adapter)
    with torch.no_grad():
        found = model.layers[0](tokens)
        expected = tokens
        for role, norm, run in (
            ("attention", block.layernorm_before, lambda read: block.attention(read)[0]),
            ("mlp", block.layernorm_after, block.mlp),
        ):
            expected = by_hand(expected, norm, run, adapter if role == where else None, mode, order)
    torch.testing.assert_close(found, expected, **CLOSE)


def by_hand(residual, norm, run, adapter, mode, order):
    read = norm(residual)
    if adapter is None:
        return residual + run(read)
    if mode == "parallel":
        return residual + run(read) + adapter.mix(residual if order == "before" else read)
    if order == "before":
        return residual + run(read + adapter.mix(read))
    done = run(read)
    return residual + done + adapter.mix(done)


def test_decoders_and_norms_that_come_last_are_refused(build):
    model = build("whisper")
    sites = attach(model, "soft_moa").parts("default")[0].sites
    assert sites and all(name.startswith("encoder") for name in sites)
    with pytest.raises(ValueError, match="fits none"):
        attach(build("bart"), "dense_moa", {"mode": "sequential", "order": "before"})


@pytest.mark.parametrize(
    "options", [{"experts": 0}, {"slots": 0}, {"site": "head"}, {"order": "behind"}, {"rank": 0}]
)
def test_options_that_cannot_be_are_named(build, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        attach(build("ast"), "soft_moa", options)
