"""The pyramid's experts against torch.kron, a transposed convolution and PEFT's LoKr."""

import pytest
import torch
from peft import LoKrConfig
from peft.tuners.lokr.layer import Linear as LokrLinear
from torch import nn
from torch.nn import functional

from fusion.contract.sites import find_sites
from fusion.routing.contract import Routing
from fusion.routing.forms.pyramid import PyramidExperts, PyramidOptions


def build_form(dim_in: int = 24, dim_out: int = 12, **options) -> PyramidExperts:
    torch.manual_seed(0)
    (site,) = find_sites(nn.Sequential(nn.Linear(dim_in, dim_out)), ["0"])
    built = PyramidOptions(**options)
    form = PyramidExperts(site, len(built.scales), built)
    for kernel in form.kernels:
        nn.init.normal_(kernel)
    return form


@pytest.mark.parametrize("dims", [(24, 12), (25, 14), (8, 8)])
def test_it_applies_the_kronecker_product(dims):
    form = build_form(*dims, scales=(2, 3, 4, 6), rank=3)
    inputs = torch.randn(2, 5, dims[0])
    for expert in range(4):
        matrix = form.matrix(expert)
        assert matrix.shape == (dims[1], dims[0])
        torch.testing.assert_close(
            form.run(inputs, expert), inputs @ matrix.T, atol=1e-5, rtol=1e-4
        )


def test_the_product_is_the_papers_transposed_convolution_to_the_bit():
    form = build_form(scales=(2, 4), rank=3)
    for expert, side in enumerate((2, 4)):
        corner = form.base().up[: 12 // side] @ form.base().down[:, : 24 // side]
        kernel = form.kernels[expert]
        found = functional.conv_transpose2d(corner[None, None], kernel[None, None], stride=side)
        assert torch.equal(found[0, 0], form.matrix(expert))


def test_one_expert_is_pefts_lokr():
    form = build_form(scales=(4,), rank=2)
    config = LoKrConfig(target_modules=["0"], decompose_factor=4)
    layer = LokrLinear(nn.Linear(24, 12), "one", config, r=2, alpha=2)
    with torch.no_grad():
        layer.lokr_w1["one"].copy_(form.kernels[0])
        layer.lokr_w2_a["one"].copy_(form.base().up[:3])
        layer.lokr_w2_b["one"].copy_(form.base().down[:, :6])
    # PEFT has the small factor in front, the paper behind: rows and columns in another order.
    rows, columns = torch.arange(12).view(4, 3).T.flatten(), torch.arange(24).view(4, 6).T.flatten()
    inputs = torch.randn(2, 5, 24)
    with torch.no_grad():
        expected = (layer(inputs) - layer.base_layer(inputs))[..., rows]
        found = form.run(inputs[..., columns], 0)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(form.matrix(0), layer.get_delta_weight("one")[rows][:, columns])


def test_weights_and_the_factor_scale_what_each_adds():
    form = build_form(scales=(2, 4), rank=3, factor=0.25)
    inputs = torch.randn(2, 5, 24)
    weights = torch.rand(2, 5, 2)
    found = form(inputs, Routing(weights, per_token=True))
    expected = sum(form.run(inputs, e) * weights[..., e, None] for e in range(2)) * 0.25
    torch.testing.assert_close(found, expected)
    whole = form(inputs, Routing(weights[:, 0]))
    torch.testing.assert_close(whole[1], form(inputs[1:], Routing(weights[1:, 0]))[0])


def test_the_pyramid_of_the_paper_has_240_numbers_in_kernels():
    (site,) = find_sites(nn.Sequential(nn.Linear(768, 768)), ["0"])
    options = PyramidOptions(rank=8, base="model")
    assert PyramidExperts.count(site, 8, options) == 240
    assert PyramidExperts.count_shared([site], 8, options) == 8 * (384 + 384)
