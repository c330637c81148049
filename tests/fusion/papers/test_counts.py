"""Full-size models, without weights: counts are those that the papers print."""

import pytest
import torch
from torch import nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from fusion.adapters.interface import attach
from fusion.contract.blocks import Block, attention, mlp, norm_last
from fusion.papers.counts import MODELS, PUBLISHED
from fusion.procedures.sharing import count_together, tie


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row.model}, {row.row}")
def test_published_count(row):
    adapters = row.attach()
    assert count_together(adapters, adapters.names) == row.count
    for name in adapters.names:
        assert adapters.count(name) == sum(p.numel() for p in adapters.parameters(name))
    if row.adapters == 1:
        assert adapters.count(adapters.names[0]) == row.count


def test_tied_adapters_share_and_stay_apart_in_the_rest(build, disturb, run):
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


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.num_heads = 2
        self.query, self.key, self.value, self.out = (nn.Linear(64, 64) for _ in range(4))


class SasRecBlock(nn.Module):
    """A block of Adapter4Rec's user encoder, as an example of a foreign model."""

    def __init__(self):
        super().__init__()
        self.attention = Attention()
        self.norm1, self.norm2 = nn.LayerNorm(64), nn.LayerNorm(64)
        self.widen, self.narrow = nn.Linear(64, 256), nn.Linear(256, 64)


def test_a_foreign_model_takes_a_map_of_its_blocks():
    block = Block(
        (
            attention("attention", "norm1", "query key value out"),
            mlp("widen", "narrow", "norm2"),
        )
    )
    model = nn.Sequential(SasRecBlock(), SasRecBlock())
    options = {"rank": 16, "activation": "relu"}
    adapters = attach(model, "bottleneck", options, blocks={"SasRecBlock": (block,)})
    assert adapters.count("default") == 8_512


WAV2VEC2 = norm_last(
    Block(
        (
            attention("attention", "layer_norm"),
            mlp(
                "feed_forward.intermediate_dense",
                "feed_forward.output_dense",
                "final_layer_norm",
            ),
        )
    )
)


@pytest.mark.parametrize(
    ("method", "options", "norms", "published"),
    [  # PETL-AST's Table 3, which counts the norms in two rows and not in the others
        ("bottleneck", {"rank": 12, "mode": "parallel"}, True, 250_512),
        ("conformer", {"rank": 8, "kernel": 31}, True, 272_256),
        ("bottleneck", {"rank": 48, "mode": "parallel"}, False, 894_528),
        ("conformer", {"rank": 32, "kernel": 31}, False, 926_208),
    ],
)
def test_adapters_of_wav2vec2_count_as_published(method, options, norms, published):
    with torch.device("meta"):
        model = Wav2Vec2Model(Wav2Vec2Config())
    blocks = {"Wav2Vec2EncoderLayer": (WAV2VEC2,)}
    adapters = attach(model, method, options, ("mlp",), blocks=blocks)
    if norms:
        [part] = adapters.parts("default")
        beside = [site.norm for site in adapters.sites(part)]
        attach(model, "norm_tuning", None, [*beside, "encoder.layer_norm"])
    assert adapters.count("default") == published


def test_layers_are_counted_from_both_ends():
    with torch.device("meta"):
        model = MODELS["AST"]()
    adapters = attach(model, "lora", {"rank": 6}, ("q",), layers=[0, -1])
    assert adapters.count("default") == 110_592 // 6
    with pytest.raises(ValueError, match="No layer 12; there are 12"):
        attach(model, "lora", layers=[12], name="other")
