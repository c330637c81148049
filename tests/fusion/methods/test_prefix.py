"""Prefixes: more keys and values, under the masks that are there."""

import pytest
import torch
from torch.nn.functional import pad

from fusion.adapters.interface import attach

CLOSE = dict(atol=1e-5, rtol=1e-4)


def test_prefixes_are_as_wide_as_the_heads_of_keys():
    from transformers import MistralConfig, MistralModel

    with torch.device("meta"):
        model = MistralModel(MistralConfig())  # 8 heads of keys, 32 of queries
    assert attach(model, "prefix").count("default") == 32 * 2 * 30 * 8 * 128


@pytest.mark.parametrize("site", ["encoder.layers.0.self_attn", "decoder.layers.1.self_attn"])
@torch.no_grad()
def test_prefix_is_softmax_over_more_keys_with_masks(
    site,
    build,
    adapter_at,
    attach_disturbed,
    recorded,
    heads_of,
    softmax_attention,
    bart_inputs,
    seen_in,
):
    model = build("bart")
    attach_disturbed(model, "prefix", {"tokens": 3})
    attention, prefix = model.get_submodule(site), adapter_at(model, site)
    with recorded(attention) as calls:
        model(**bart_inputs)
    ((hidden, _, found),) = calls
    keys = torch.cat(
        [heads_of(prefix.keys.expand(2, -1, -1)), heads_of(attention.k_proj(hidden))], 2
    )
    values = [heads_of(prefix.values.expand(2, -1, -1)), heads_of(attention.v_proj(hidden))]
    seen = pad(seen_in(site), (3, 0), value=True)
    query = heads_of(attention.q_proj(hidden))
    expected = softmax_attention(query, keys, torch.cat(values, 2), seen)
    torch.testing.assert_close(found, attention.out_proj(expected), **CLOSE)


@torch.no_grad()
def test_prefix_reaches_encoders(build, attach_disturbed, bart_inputs):
    model = build("bart")
    inputs = bart_inputs
    before = model(**inputs).encoder_last_hidden_state
    attach_disturbed(model, "prefix", where=("encoder.attention",))
    assert not torch.allclose(model(**inputs).encoder_last_hidden_state, before, atol=1e-4)
