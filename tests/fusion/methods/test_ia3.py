"""IA3: which side of a layer it rescales."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from fusion.adapters.interface import Adapters, attach
from fusion.contract.blocks import Block, attention, mlp
from fusion.contract.sites import find_sites
from fusion.methods.ia3 import Ia3


def test_ia3_rescales_outputs_and_in_fc2_inputs(build, disturb):
    model = build("whisper")
    names = ["encoder.layers.0.self_attn.v_proj", "encoder.layers.0.fc2"]
    hosts = [model.get_submodule(name) for name in names]
    disturb(attach(model, "ia3", where=names), "default")
    value, last = (model.get_submodule(name) for name in names)
    factors = [layer.ia3_l["default"].flatten() for layer in (value, last)]
    narrow, wide = torch.randn(2, 3, 32), torch.randn(2, 3, 48)
    torch.testing.assert_close(value(narrow), factors[0] * hosts[0](narrow))
    torch.testing.assert_close(last(wide), hosts[1](factors[1] * wide))


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("encoder.layers.3.fc2", True),
        ("encoder.layer.3.output.dense", True),
        ("encoder.layer.3.attention.output.dense", False),
        ("layers.3.mlp.down_proj", True),
        ("decoder.block.3.layer.2.DenseReluDense.wo", True),
        ("encoder.layers.3.fc1", False),
    ],
)
def test_ia3_knows_the_last_layers_by_name(name, reads, linear):
    site = find_sites(linear(6, 4), ["0"])[0]
    assert Ia3.count(replace(site, name=name), Ia3.Options()) == (6 if reads else 4)


def test_ia3_tells_where_it_would_rescale_the_wrong_side(build):
    class SasRecBlock(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.ModuleDict({n: nn.Linear(8, 8) for n in "abcd"})
            self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
            self.widen, self.narrow = nn.Linear(8, 16), nn.Linear(16, 8)

    block = Block((attention("attention", "norm1", "a b c d"), mlp("widen", "narrow", "norm2")))
    blocks = {"SasRecBlock": (block,)}
    with pytest.raises(ValueError, match="narrow is the last layer .* Give option 'feedforward'"):
        attach(nn.Sequential(SasRecBlock()), "ia3", blocks=blocks)
    options = {"feedforward": r".*\.narrow"}
    adapters = attach(nn.Sequential(SasRecBlock()), "ia3", options, blocks=blocks)
    assert adapters.count("default") == 8 + 8 + 16
    whisper = build("whisper")
    attach(whisper, "ia3", name="one")
    with pytest.raises(ValueError, match="rescales its input; expected its output"):
        attach(whisper, "ia3", {"feedforward": ""}, name="two")
    assert Adapters(whisper).names == ["one"]


def test_two_ia3_at_once_multiply_and_merge_so(disturb, linear):
    model = linear()
    for name in ("one", "two"):
        disturb(attach(model, "ia3", where=["0"], name=name), name, seed=len(name) + ord(name[0]))
    adapters = Adapters(model)
    adapters.use(["one", "two"])
    inputs = torch.randn(2, 3, 6)
    expected = model(inputs)
    layer = model.get_submodule("0")
    factors = layer.ia3_l["one"] * layer.ia3_l["two"]
    torch.testing.assert_close(expected, factors[:, 0] * layer.base_layer(inputs))
    adapters.merge()
    torch.testing.assert_close(model(inputs), expected)
