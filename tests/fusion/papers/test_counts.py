"""Full-size models, without weights: counts are those that the papers print."""

import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from fusion.adapters.interface import attach
from fusion.contract.blocks import Block, attention, mlp, norm_last
from fusion.papers.counts import PUBLISHED
from fusion.procedures.sharing import count_together


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row.model}, {row.row}")
def test_published_count(row):
    adapters = row.attach()
    assert count_together(adapters, adapters.names) == row.count
    for name in adapters.names:
        assert adapters.count(name) == sum(p.numel() for p in adapters.parameters(name))
    if row.adapters == 1:
        assert adapters.count(adapters.names[0]) == row.count


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
