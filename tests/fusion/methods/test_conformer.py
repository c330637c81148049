"""Conformer adapters: their chain of layers by hand, their statistics, their published counts."""

from copy import deepcopy

import pytest
import torch

from fusion.adapters.interface import Adapters, attach
from fusion.contract.sites import find_sites
from fusion.methods.conformer import Conformer, ConformerOptions

CLOSE = dict(atol=1e-5, rtol=1e-4)
RANK = 3
BOTH = ("attention", "mlp")
COUNTS: dict[str, tuple[dict, tuple[str, ...], int]] = {
    "conformer, one": ({}, ("mlp",), 252_288),
    "conformer, two": ({}, BOTH, 504_576),
    "conformer, k 8": ({"kernel": 8}, ("mlp",), 250_080),
}


@pytest.mark.parametrize("case", list(COUNTS))
def test_published_count(case, full_size, both_counts):
    options, where, published = COUNTS[case]
    adapters = attach(full_size("AST"), "conformer", options, where)
    assert both_counts(adapters) == (published, published)


@pytest.mark.parametrize(("where", "published"), [(("mlp",), 270_720), (BOTH, 541_440)])
def test_conformer_adapters_with_the_norms_beside_them_count_as_published(
    where, published, full_size, both_counts
):
    model = full_size("AST")
    norms = [site.norm for site in find_sites(model, where, "sublayer")]
    attach(model, "conformer", None, where)
    adapters = attach(model, "norm_tuning", None, norms)
    assert both_counts(adapters) == (published, published)


@pytest.mark.parametrize(("kernel", "before"), [(1, 0), (4, 1), (5, 2), (31, 15)])
def test_conformer_adapters_are_the_published_chain_of_layers(
    kernel, before, bare_site, moved, features_of, convolve_slowly
):
    adapter = moved(Conformer(bare_site, ConformerOptions(rank=RANK, kernel=kernel, scale=0.5)))
    batch_norm = adapter.batch_norm
    batch_norm.running_mean.copy_(torch.tensor([0.1, -0.2, 0.3]))
    batch_norm.running_var.copy_(torch.tensor([0.5, 1.5, 2.5]))
    inputs, outputs = features_of(7), features_of(7).flip(1)
    spread = inputs.var(-1, correction=0, keepdim=True)
    normed = (inputs - inputs.mean(-1, keepdim=True)) / (spread + 1e-5).sqrt()
    wide = adapter.down(normed * adapter.norm.weight + adapter.norm.bias)
    gated = wide[..., :RANK] * torch.sigmoid(wide[..., RANK:])
    taps = torch.zeros(RANK, RANK, kernel)
    taps[range(RANK), range(RANK)] = adapter.conv.weight[:, 0]
    mixed = convolve_slowly(gated, taps, before) + adapter.conv.bias
    scaled = (mixed - batch_norm.running_mean) / (batch_norm.running_var + 1e-5).sqrt()
    scaled = scaled * batch_norm.weight + batch_norm.bias
    expected = outputs + 0.5 * adapter.up(scaled * torch.sigmoid(scaled))
    found = adapter.after(inputs, outputs)
    assert found.shape == outputs.shape
    torch.testing.assert_close(found, expected, **CLOSE)


def test_sequential_conformer_adapters_read_what_the_sub_layer_returns(
    bare_site, moved, features_of
):
    adapter = moved(Conformer(bare_site, ConformerOptions(rank=RANK, mode="sequential")))
    parallel = Conformer(bare_site, ConformerOptions(rank=RANK)).eval()
    parallel.load_state_dict(adapter.state_dict())
    outputs = features_of(7)
    found = adapter.after(torch.zeros(2, 7, 20), outputs)
    torch.testing.assert_close(found, parallel.after(outputs, outputs))


def test_running_statistics_are_saved_and_loaded(build, run, tmp_path):
    model = build("ast")
    adapters = attach(model, "conformer", {"rank": 4})
    with torch.no_grad():
        for parameter in adapters.parameters("default"):
            parameter += 0.1
    unused = run("ast", model)
    run("ast", model.train())
    expected = run("ast", model.eval())
    assert not torch.allclose(expected, unused)
    adapters.save(tmp_path, "default")
    other = build("ast")
    Adapters(other).load(tmp_path, "default")
    assert torch.equal(run("ast", other), expected)


def test_in_training_each_adapter_normalises_over_its_own_rows(build, run, disturb):
    model = build("ast")
    for seed, name in enumerate(("one", "two")):
        disturb(attach(model, "conformer", {"rank": 4}, name=name), name, seed)
    alone = deepcopy(model)
    with torch.no_grad(), Adapters(model).rows(["one", "one", "two", "two"]):
        found = run("ast", model.train())
    Adapters(alone).use("one")
    with torch.no_grad():
        expected = run("ast", alone.train(), slice(0, 2))
    torch.testing.assert_close(found[:2], expected, **CLOSE)
    seen = [
        [b for name, b in of.named_buffers() if name.endswith("one.batch_norm.running_mean")]
        for of in (model, alone)
    ]
    torch.testing.assert_close(*seen)
    assert len(seen[0]) == 2 and all(mean.abs().min() > 0 for mean in seen[0])
