"""What bottlenecks read at single layers, and their gate, by hand."""

import pytest
import torch
from torch.nn.functional import gelu

from fusion.adapters.interface import attach
from fusion.methods.bottleneck import Bottleneck, BottleneckOptions

CLOSE = dict(atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(
    "site", ["encoder.layers.0.fc2", "decoder.layers.1.encoder_attn.v_proj", "decoder.layers.0.fc1"]
)
def test_parallel_ones_at_a_single_layer_read_what_that_layer_does(
    site, build, adapter_at, attach_disturbed, bart_inputs, recorded
):
    model, frozen = build("bart"), build("bart")
    attach_disturbed(model, "bottleneck", {"rank": 4, "mode": "parallel"}, (site,))
    with recorded(model.get_submodule(site)) as calls:
        model(**bart_inputs)
    [(read, _, found)] = calls
    adapter = adapter_at(model, site)
    added = adapter.up(gelu(adapter.down(read)))
    torch.testing.assert_close(found, frozen.get_submodule(site)(read) + added, **CLOSE)


@torch.no_grad()
def test_a_gate_reads_the_sub_layers_input_and_scales_its_changed_output(
    bare_site, moved, features_of
):
    options = BottleneckOptions(rank=4, activation="gelu_tanh", gate_rank=3, scale=2.0)
    adapter = moved(Bottleneck(bare_site, options))
    read, returned = features_of(5), features_of(5, rows=4)[2:]
    changed = returned + 2 * adapter.up(gelu(adapter.down(returned), approximate="tanh"))
    gate = adapter.gate_up(gelu(adapter.gate_down(read), approximate="tanh"))
    torch.testing.assert_close(adapter.after(read, returned), changed / (1 + torch.exp(-gate)))
    held = sum(parameter.numel() for parameter in adapter.parameters())
    assert Bottleneck.count(bare_site, options) == held == 2 * 12 * (4 + 3) + 4 + 3 + 2 * 12
    fresh = Bottleneck(bare_site, options)
    torch.testing.assert_close(fresh.after(read, returned), returned / 2)


@torch.no_grad()
def test_a_gate_is_given_what_comes_into_the_sub_layer(
    build, adapter_at, attach_disturbed, bart_inputs, recorded
):
    model, frozen = build("bart"), build("bart")
    attach_disturbed(model, "bottleneck", {"rank": 4, "gate_rank": 2}, ("encoder.mlp",))
    layer = model.encoder.layers[1]
    with recorded(layer.fc1) as inner, recorded(layer.fc2) as outer:
        model(**bart_inputs)
    [(entered, _, _)], [(wide, _, found)] = inner, outer
    adapter = adapter_at(model, "encoder.layers.1.fc2")
    expected = adapter.after(entered, frozen.encoder.layers[1].fc2(wide))
    torch.testing.assert_close(found, expected, **CLOSE)
    assert not torch.allclose(found, adapter.after(expected, expected), atol=1e-3)


def test_a_gate_has_one_place_in_every_count(build):
    adapters = attach(build("bart"), "bottleneck", {"rank": 4, "gate_rank": 2, "mode": "parallel"})
    assert adapters.count("default") == sum(p.numel() for p in adapters.parameters("default"))
