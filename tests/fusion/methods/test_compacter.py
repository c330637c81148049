"""Compacter: its Kronecker products by hand, what its sites share, its published counts."""

import pytest
import torch

from fusion.adapters.interface import attach
from fusion.methods.compacter import Compacter, CompacterOptions, KroneckerLinear

CLOSE = dict(atol=1e-5, rtol=1e-4)
OF_VL_ADAPTER = {
    **{"rank": 96, "activation": "gelu_tanh"},
    **{"terms": 2, "shared": False, "factor_rank": 0},
}
# Compacter's printed 0.073 % and 0.047 % of T5-base count its normalisations too.
COUNTS: dict[str, tuple[str, dict, tuple[str, ...] | None, int]] = {
    "VL-Adapter, Compacter": ("BART-base", OF_VL_ADAPTER, None, 3_870_240 - 1_632_000),
    "Compacter": ("T5-base", {}, ("self.attention", "mlp"), 114_112),
    "Compacter++": ("T5-base", {}, ("mlp",), 57_088),
}


@pytest.mark.parametrize("case", list(COUNTS))
def test_published_count(case, full_size, both_counts):
    model, options, where, published = COUNTS[case]
    adapters = attach(full_size(model), "compacter", options, where)
    assert both_counts(adapters) == (published, published)


@pytest.mark.parametrize("factor_rank", [0, 1, 2])
@pytest.mark.parametrize("shared", [False, True])
def test_weights_are_sums_of_kronecker_products(shared, factor_rank, moved, features_of):
    options = CompacterOptions(rank=6, terms=3, shared=shared, factor_rank=factor_rank)
    layer = moved(KroneckerLinear(12, 6, options, zero=False))
    rule = torch.randn(3, 3, 3) if shared else layer.rule
    large = layer.left @ layer.right if factor_rank else layer.weight
    weight = sum(torch.kron(rule[i], large[i]) for i in range(3))
    features = features_of(5)
    expected = features @ weight + layer.bias
    torch.testing.assert_close(layer(features, rule if shared else None), expected, **CLOSE)


def test_compacter_is_a_bottleneck_of_such_weights(bare_site, moved, features_of):
    options = CompacterOptions(rank=4, terms=2, activation="relu")
    shared = Compacter.share([bare_site], options)
    adapter = moved(Compacter(bare_site, options, shared))
    down, up = adapter.down.matrix(shared.rule), adapter.up.matrix(shared.rule)
    outputs = features_of(5)
    narrow = torch.relu(outputs @ down + adapter.down.bias)
    expected = outputs + narrow @ up + adapter.up.bias
    torch.testing.assert_close(adapter.after(features_of(5), outputs), expected)


def test_one_rule_serves_all_sites_or_each_layer_has_its_own(build):
    counts = {}
    for shared in (True, False):
        model = build("ast")
        adapters = attach(model, "compacter", {"rank": 4, "shared": shared})
        names = adapters.named_parameters("default")
        counts[shared] = sum(name.endswith(".rule") for name in names)
    assert counts == {True: 1, False: 2 * 2 * 2}
