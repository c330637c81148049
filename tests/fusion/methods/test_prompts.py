"""Shallow and deep prompts: tokens in front, and the layers that they need."""

import pytest
import torch
from torch.nn.functional import pad

from fusion.adapters.interface import attach

CLOSE = dict(atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_deep_prompts_equal_tokens_in_front_of_each_block(
    build, run, adapter_at, attach_disturbed, recorded
):
    model = build("ast")
    attach_disturbed(model, "deep_prompts", {"tokens": 3})
    with recorded(model.layers[0]) as first, recorded(model.layers[1]) as second:
        run("ast", model)
    frozen = build("ast")
    for layer, ((hidden, _, found),) in enumerate([first, second]):
        prompts = adapter_at(model, f"layers.{layer}.attention").prompts.expand(len(hidden), -1, -1)
        expected = frozen.layers[layer](torch.cat([prompts, hidden], 1))[:, 3:]
        torch.testing.assert_close(found, expected, **CLOSE)


@torch.no_grad()
def test_deep_prompts_equal_tokens_in_front_with_a_mask(
    build, adapter_at, attach_disturbed, recorded, bart_inputs, seen_in
):
    model = build("bart")
    attach_disturbed(model, "deep_prompts", {"tokens": 3})
    with recorded(model.encoder.layers[1]) as calls:
        model(**bart_inputs)
    ((hidden, _, found),) = calls
    prompts = adapter_at(model, "encoder.layers.1.self_attn").prompts.expand(2, -1, -1)
    mask = pad(seen_in("encoder"), (3, 0), value=True).expand(-1, -1, 10, -1)
    expected = build("bart").encoder.layers[1](torch.cat([prompts, hidden], 1), mask)[:, 3:]
    torch.testing.assert_close(found, expected, **CLOSE)


@torch.no_grad()
def test_shallow_prompts_go_through_all_blocks(build, adapter_at, attach_disturbed):
    model, frozen = build("ast"), build("ast")
    attach_disturbed(model, "shallow_prompts", {"tokens": 3})
    sounds = torch.randn(2, 40, 32, generator=torch.Generator().manual_seed(1))
    hidden = frozen.embeddings(sounds)
    hidden = torch.cat([adapter_at(model, "layers.0").prompts.expand(2, -1, -1), hidden], 1)
    for layer in frozen.layers:
        hidden = layer(hidden)
    expected = frozen.layernorm(hidden[:, 3:])
    torch.testing.assert_close(model(sounds).last_hidden_state, expected, **CLOSE)


@torch.no_grad()
def test_shallow_prompts_may_come_from_a_network(build, adapter_at, attach_disturbed):
    model = build("ast")
    attach_disturbed(model, "shallow_prompts", {"tokens": 3, "hidden": 5})
    adapter = adapter_at(model, "layers.0")
    widen, _, narrow = adapter.network
    prompts = torch.tanh(adapter.prompts @ widen.weight.T + widen.bias) @ narrow.weight.T
    found = adapter.before(torch.zeros(1, 4, 32), {})
    torch.testing.assert_close(found[0, :3], prompts + narrow.bias, **CLOSE)
    assert adapter_at(model, "layers.1").before(found, {}) is found


@pytest.mark.parametrize("name", ["shallow_prompts", "prefix_prompts"])
def test_prompts_that_lengthen_pass_over_decoders(name, build, tiny_llama):
    model = build("whisper")
    (part,) = attach(model, name).parts("default")
    assert part.sites and all(site.startswith("encoder.") for site in part.sites)
    with pytest.raises(ValueError, match="fits none of the"):
        attach(tiny_llama(), name)


@pytest.mark.parametrize("name", ["shallow_prompts", "prefix_prompts"])
def test_prompts_that_lengthen_need_all_layers(name, build):
    with pytest.raises(ValueError, match="leave `layers` out"):
        attach(build("ast"), name, layers=[1])
    with pytest.raises(ValueError, match="not at the attention of layer 0 in encoder.layers"):
        attach(build("whisper"), name, where=("block",))


def test_deep_prompts_need_the_blocks_but_not_all(build):
    with pytest.raises(ValueError, match="not at the block of layer 0"):
        attach(build("ast"), "deep_prompts", where=("attention",))
    assert attach(build("ast"), "deep_prompts", {"tokens": 5}, layers=[1]).count("default") == 160
