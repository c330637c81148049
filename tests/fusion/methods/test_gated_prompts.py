"""LLaMA-Adapter's gated prompts: a second softmax, and a condition for early layers."""

import pytest
import torch

from fusion.adapters.interface import attach
from fusion.methods.gated_prompts import condition

CLOSE = dict(atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("site", ["encoder.layers.0.self_attn", "decoder.layers.1.self_attn"])
@torch.no_grad()
def test_gated_prompts_are_a_second_softmax(
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
    attach_disturbed(model, "gated_prompts", {"tokens": 3})
    attention, adapter = model.get_submodule(site), adapter_at(model, site)
    with recorded(attention) as calls:
        model(**bart_inputs)
    ((hidden, _, found),) = calls
    layers = attention.q_proj, attention.k_proj, attention.v_proj
    query, keys, values = (heads_of(layer(hidden)) for layer in layers)
    more_keys, more_values = (heads_of(layer(adapter.prompts)) for layer in layers[1:])
    gates = adapter.gates.tanh().repeat_interleave(16)
    expected = softmax_attention(query, keys, values, seen_in(site))
    expected = expected + gates * softmax_attention(query, more_keys, more_values)
    torch.testing.assert_close(found, attention.out_proj(expected), **CLOSE)


@torch.no_grad()
def test_early_layers_attend_to_the_condition_alone(tiny_llama, tokens_of, adapter_at):
    model = tiny_llama()
    frozen = model(tokens_of()).last_hidden_state
    adapters = attach(model, "gated_prompts", {"tokens": 3, "early_layers": 1})
    assert list(adapters.named_parameters("default")) == [
        "layers.0.self_attn.mcgurk_adapters.gates",
        "layers.1.self_attn.mcgurk_adapters.gates",
        "layers.1.self_attn.mcgurk_adapters.prompts",
    ]
    adapter_at(model, "layers.0.self_attn").gates.fill_(1.0)
    picture = torch.randn(2, 4, 32, generator=torch.Generator().manual_seed(5))
    without = model(tokens_of()).last_hidden_state
    torch.testing.assert_close(without, frozen, **CLOSE)
    with condition(model, picture):
        found = model(tokens_of()).last_hidden_state
        assert not torch.allclose(found, frozen, atol=1e-3)
        with pytest.raises(ValueError, match="for 2 rows, but attention has 1"):
            model(tokens_of(1))
    with condition(model, picture[:1]):
        alone = model(tokens_of()[:1]).last_hidden_state
    torch.testing.assert_close(found[:1], alone, **CLOSE)
    torch.testing.assert_close(model(tokens_of()).last_hidden_state, frozen, **CLOSE)


def test_condition_trains_the_gates_of_early_layers_and_the_picture(
    tiny_llama, tokens_of, attach_disturbed
):
    model = tiny_llama()
    adapters = attach_disturbed(model, "gated_prompts", {"tokens": 3, "early_layers": 2})
    picture = torch.randn(2, 4, 32, requires_grad=True)
    with condition(model, picture):
        model(tokens_of()).last_hidden_state.square().mean().backward()
    assert picture.grad is not None and picture.grad.abs().sum() > 0
    assert all(p.grad is not None for p in adapters.parameters("default"))


def test_condition_needs_early_layers(build):
    model = build("ast")
    attach(model, "gated_prompts")
    with pytest.raises(ValueError, match="early_layers=1"), condition(model, torch.zeros(1, 1, 32)):
        pass
