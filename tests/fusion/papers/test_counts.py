"""Full-size models, without weights: counts are those that the papers print."""

from pathlib import Path

import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from fusion.adapters.interface import Adapters, attach
from fusion.contract.blocks import Block, attention, mlp, norm_last
from fusion.papers.counts import PUBLISHED
from fusion.papers.models import Published
from fusion.papers.rows import count_rows, method_rows
from fusion.papers.table import (
    STORED,
    counts_to_markdown,
    read_counts,
    read_methods,
    to_json,
    to_markdown,
)
from fusion.procedures.sharing import count_together

DOCS = Path(__file__).resolve().parents[3] / "docs/adapters.md"


@pytest.fixture(scope="module")
def attached():
    """The adapters of a published row. Each row's are attached once for all tests of this file."""
    made: dict[int, Adapters] = {}
    attach_row = Published.attach  # one of these tests puts this fixture in its place

    def attached_once(row: Published) -> Adapters:
        if id(row) not in made:
            made[id(row)] = attach_row(row)
        return made[id(row)]

    return attached_once


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row.model}, {row.row}")
def test_published_count(row, attached):
    adapters = attached(row)
    assert count_together(adapters, adapters.names) == row.count
    for name in adapters.names:
        assert adapters.count(name) == sum(p.numel() for p in adapters.parameters(name))
    if row.adapters == 1:
        assert adapters.count(adapters.names[0]) == row.count


def test_the_stored_and_the_documented_tables_are_as_computed_now(attached, monkeypatch):
    monkeypatch.setattr(Published, "attach", attached)
    methods, counts = method_rows(), count_rows()
    message = "run `make docs`"
    assert STORED.read_text(encoding="utf-8") == to_json(methods, counts), message
    assert read_methods() == methods and read_counts() == counts
    text = DOCS.read_text(encoding="utf-8")
    assert to_markdown(methods) in text and counts_to_markdown(counts) in text, message


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
