"""Methods on attention and on what blocks read: prefixes, prompts, P-Adapters, invertible ones."""

from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from fusion.adapters.interface import Adapters, attach
from fusion.methods.gated_prompts import condition

CLOSE = dict(atol=1e-5, rtol=1e-4)


def test_prefixes_are_as_wide_as_the_heads_of_keys():
    from transformers import MistralConfig, MistralModel

    with torch.device("meta"):
        model = MistralModel(MistralConfig())  # 8 heads of keys, 32 of queries
    assert attach(model, "prefix").count("default") == 32 * 2 * 30 * 8 * 128


# Small models


def tiny_llama():
    from transformers import LlamaConfig, LlamaModel

    torch.manual_seed(0)
    heads = dict(num_attention_heads=4, num_key_value_heads=2)
    config = LlamaConfig(
        vocab_size=99, hidden_size=32, intermediate_size=48, num_hidden_layers=2, **heads
    )
    return LlamaModel(config).eval()


def tokens_of(rows: int = 2, count: int = 7) -> torch.Tensor:
    return torch.randint(3, 99, (rows, count), generator=torch.Generator().manual_seed(3))


def adapter_at(model: nn.Module, site: str, key: str = "default"):
    return model.get_submodule(site).mcgurk_site.mcgurk_adapters[key]


def put(model, method, disturb, options=None, where=None, **others) -> Adapters:
    adapters = attach(model, method, options, where, **others)
    disturb(adapters, "default")
    return adapters


@contextmanager
def recorded(module: nn.Module):
    """Records what a module reads and returns."""
    calls: list = []

    def keep(module, args, kwargs, output):
        read = args[0] if args else kwargs["hidden_states"]
        calls.append((read, kwargs, output[0] if isinstance(output, tuple) else output))

    # After the holder's hooks, so that it sees what they make of the output.
    handle = module.register_forward_hook(keep, with_kwargs=True)
    yield calls
    handle.remove()


def heads_of(features: torch.Tensor, heads: int = 2) -> torch.Tensor:
    return features.unflatten(-1, (heads, -1)).transpose(-3, -2)


def softmax_attention(query, keys, values, seen=None) -> torch.Tensor:
    """Attends step by step: [..., heads, tokens, head_dim] -> [batch, tokens, dim]."""
    scores = query @ keys.transpose(-2, -1) / query.shape[-1] ** 0.5
    if seen is not None:
        scores = scores.masked_fill(~seen, -torch.inf)
    return (scores.softmax(-1) @ values).transpose(1, 2).flatten(2)


def bart_inputs() -> dict[str, torch.Tensor]:
    mask = torch.ones(2, 7, dtype=torch.long)
    mask[0, 4:] = 0
    return dict(input_ids=tokens_of(), attention_mask=mask, decoder_input_ids=tokens_of(2, 5))


def seen_in(site: str) -> torch.Tensor:
    """Says which keys are seen in `bart_inputs`, [batch, 1, tokens or 1, keys]."""
    if site.startswith("encoder"):
        return bart_inputs()["attention_mask"].bool()[:, None, None]
    return torch.ones(5, 5, dtype=torch.bool).tril()[None, None].expand(2, -1, -1, -1)


@pytest.mark.parametrize("site", ["encoder.layers.0.self_attn", "decoder.layers.1.self_attn"])
@torch.no_grad()
def test_prefix_is_softmax_over_more_keys_with_masks(site, build, disturb):
    model = build("bart")
    put(model, "prefix", disturb, {"tokens": 3})
    attention, prefix = model.get_submodule(site), adapter_at(model, site)
    with recorded(attention) as calls:
        model(**bart_inputs())
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
def test_prefix_reaches_encoders(build, disturb):
    model = build("bart")
    inputs = bart_inputs()
    before = model(**inputs).encoder_last_hidden_state
    put(model, "prefix", disturb, where=("encoder.attention",))
    assert not torch.allclose(model(**inputs).encoder_last_hidden_state, before, atol=1e-4)


CAUSAL = ["prefix", "deep_prompts", "gated_prompts"]


@pytest.mark.parametrize("name", CAUSAL)
@torch.no_grad()
def test_tokens_do_not_see_later_ones(name, disturb):
    model = tiny_llama()
    put(model, name, disturb)
    tokens = tokens_of()
    first = model(tokens).last_hidden_state
    tokens[:, 4:] = 50
    second = model(tokens).last_hidden_state
    torch.testing.assert_close(first[:, :4], second[:, :4], **CLOSE)
    assert not torch.allclose(first[:, 4:], second[:, 4:], atol=1e-3)


@pytest.mark.parametrize("name", CAUSAL)
@torch.no_grad()
def test_decoding_with_a_cache_equals_one_pass(name, disturb):
    model = tiny_llama()
    put(model, name, disturb)
    tokens = tokens_of()
    whole = model(tokens).last_hidden_state
    start = model(tokens[:, :3], use_cache=True)
    middle = model(tokens[:, 3:6], past_key_values=start.past_key_values, use_cache=True)
    end = model(tokens[:, 6:], past_key_values=middle.past_key_values)
    parts = [part.last_hidden_state for part in (start, middle, end)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, **CLOSE)


@torch.no_grad()
def test_deep_prompts_equal_tokens_in_front_of_each_block(build, disturb, run):
    model = build("ast")
    put(model, "deep_prompts", disturb, {"tokens": 3})
    with recorded(model.layers[0]) as first, recorded(model.layers[1]) as second:
        run("ast", model)
    frozen = build("ast")
    for layer, ((hidden, _, found),) in enumerate([first, second]):
        prompts = adapter_at(model, f"layers.{layer}.attention").prompts.expand(len(hidden), -1, -1)
        expected = frozen.layers[layer](torch.cat([prompts, hidden], 1))[:, 3:]
        torch.testing.assert_close(found, expected, **CLOSE)


@torch.no_grad()
def test_deep_prompts_equal_tokens_in_front_with_a_mask(build, disturb):
    model = build("bart")
    put(model, "deep_prompts", disturb, {"tokens": 3})
    with recorded(model.encoder.layers[1]) as calls:
        model(**bart_inputs())
    ((hidden, _, found),) = calls
    prompts = adapter_at(model, "encoder.layers.1.self_attn").prompts.expand(2, -1, -1)
    mask = pad(seen_in("encoder"), (3, 0), value=True).expand(-1, -1, 10, -1)
    expected = build("bart").encoder.layers[1](torch.cat([prompts, hidden], 1), mask)[:, 3:]
    torch.testing.assert_close(found, expected, **CLOSE)


@torch.no_grad()
def test_shallow_prompts_go_through_all_blocks(build, disturb):
    model, frozen = build("ast"), build("ast")
    put(model, "shallow_prompts", disturb, {"tokens": 3})
    sounds = torch.randn(2, 40, 32, generator=torch.Generator().manual_seed(1))
    hidden = frozen.embeddings(sounds)
    hidden = torch.cat([adapter_at(model, "layers.0").prompts.expand(2, -1, -1), hidden], 1)
    for layer in frozen.layers:
        hidden = layer(hidden)
    expected = frozen.layernorm(hidden[:, 3:])
    torch.testing.assert_close(model(sounds).last_hidden_state, expected, **CLOSE)


@torch.no_grad()
def test_shallow_prompts_may_come_from_a_network(build, disturb):
    model = build("ast")
    put(model, "shallow_prompts", disturb, {"tokens": 3, "hidden": 5})
    adapter = adapter_at(model, "layers.0")
    widen, _, narrow = adapter.network
    prompts = torch.tanh(adapter.prompts @ widen.weight.T + widen.bias) @ narrow.weight.T
    found = adapter.before(torch.zeros(1, 4, 32), {})
    torch.testing.assert_close(found[0, :3], prompts + narrow.bias, **CLOSE)
    assert adapter_at(model, "layers.1").before(found, {}) is found


@pytest.mark.parametrize("name", ["shallow_prompts", "deep_prompts", "prefix", "gated_prompts"])
@torch.no_grad()
def test_padding_changes_nothing(name, build, disturb):
    model = build("bart")
    put(model, name, disturb, {"tokens": 3})
    tokens = tokens_of(1, 4)
    alone = model.encoder(tokens).last_hidden_state
    padded, mask = pad(tokens, (0, 3), value=1), pad(torch.ones_like(tokens), (0, 3))
    found = model.encoder(padded, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found[:, :4], alone, **CLOSE)


@pytest.mark.parametrize("name", ["shallow_prompts", "deep_prompts", "prefix", "gated_prompts"])
@torch.no_grad()
def test_causal_text_encoders_stay_causal(name, build, disturb):
    model = build("clip").text_model
    put(model, name, disturb, {"tokens": 3})
    tokens = tokens_of(1, 6)
    alone = model(tokens[:, :4]).last_hidden_state
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]])
    for given in (None, mask):
        found = model(tokens, attention_mask=given).last_hidden_state
        torch.testing.assert_close(found[:, :4], alone, **CLOSE)


@pytest.mark.parametrize("name", ["shallow_prompts", "prefix_prompts"])
def test_prompts_that_lengthen_pass_over_decoders(name, build):
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


@pytest.mark.parametrize("name", ["deep_prompts", "gated_prompts"])
@torch.no_grad()
def test_other_adapters_of_the_key_layer_do_not_reach_prompts(name, build, disturb, run):
    model = build("ast")
    attach(model, "lora", {"rank": 2}, ("k",), name="lora")
    attach(model, "hydra", where=("v",), name="hydra")
    adapters = attach(model, name, {"tokens": 3}, name="prompts")
    for key in ("lora", "hydra", "prompts"):
        disturb(adapters, key)
    adapters.use("prompts")
    alone = run("ast", model, slice(0, 1))
    with adapters.rows(["prompts", "lora", "hydra", None]):
        together = run("ast", model)
    torch.testing.assert_close(together[:1], alone, **CLOSE)


# LLaMA-Adapter


@pytest.mark.parametrize("site", ["encoder.layers.0.self_attn", "decoder.layers.1.self_attn"])
@torch.no_grad()
def test_gated_prompts_are_a_second_softmax(site, build, disturb):
    model = build("bart")
    put(model, "gated_prompts", disturb, {"tokens": 3})
    attention, adapter = model.get_submodule(site), adapter_at(model, site)
    with recorded(attention) as calls:
        model(**bart_inputs())
    ((hidden, _, found),) = calls
    layers = attention.q_proj, attention.k_proj, attention.v_proj
    query, keys, values = (heads_of(layer(hidden)) for layer in layers)
    more_keys, more_values = (heads_of(layer(adapter.prompts)) for layer in layers[1:])
    gates = adapter.gates.tanh().repeat_interleave(16)
    expected = softmax_attention(query, keys, values, seen_in(site))
    expected = expected + gates * softmax_attention(query, more_keys, more_values)
    torch.testing.assert_close(found, attention.out_proj(expected), **CLOSE)


def test_relative_positions_and_windows_are_passed_over():
    from transformers import ClapAudioConfig, ClapAudioModel, T5Config, T5Model

    t5 = T5Model(T5Config(vocab_size=99, d_model=32, d_ff=48, d_kv=16, num_layers=2, num_heads=2))
    with pytest.raises(ValueError, match="fits none of the 4 modules at self.attention"):
        attach(t5, "gated_prompts")
    with torch.device("meta"):
        clap = ClapAudioModel(ClapAudioConfig())
    for name in ("prefix", "deep_prompts", "shallow_prompts", "gated_prompts"):
        with pytest.raises(ValueError, match="fits none of the"):
            attach(clap, name)


@pytest.mark.parametrize("name", ["prefix", "deep_prompts", "shallow_prompts"])
@torch.no_grad()
def test_prompts_work_beside_relative_positions(name, disturb):
    from transformers import T5Config, T5Model

    torch.manual_seed(0)
    config = T5Config(vocab_size=99, d_model=32, d_ff=48, d_kv=16, num_layers=2, num_heads=2)
    model = T5Model(config).eval()
    put(model, name, disturb, {"tokens": 3})
    tokens = tokens_of(1, 4)
    alone = model.encoder(tokens).last_hidden_state
    padded, mask = pad(tokens, (0, 3)), pad(torch.ones_like(tokens), (0, 3))
    found = model.encoder(padded, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found[:, :4], alone, **CLOSE)
    steps = tokens_of(1, 5)
    states = model(input_ids=tokens, decoder_input_ids=steps).last_hidden_state
    earlier = model(input_ids=tokens, decoder_input_ids=steps[:, :3]).last_hidden_state
    torch.testing.assert_close(states[:, :3], earlier, **CLOSE)


@torch.no_grad()
def test_early_layers_attend_to_the_condition_alone(disturb):
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


def test_condition_trains_the_gates_of_early_layers_and_the_picture(disturb):
    model = tiny_llama()
    adapters = put(model, "gated_prompts", disturb, {"tokens": 3, "early_layers": 2})
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


# P-Adapters


@torch.no_grad()
def test_rewriting_without_residual_is_the_papers(build):
    model = build("bart")
    tokens = tokens_of()
    words = model.encoder.embed_tokens(tokens)
    before = model.encoder(tokens).last_hidden_state
    attach(model, "rewrite_prompts", {"residual": False}, ("embed",))
    adapter = adapter_at(model, "encoder.embed_tokens")
    expected = adapter.out(adapter.reader(words)[0])
    torch.testing.assert_close(model.encoder.embed_tokens(tokens), expected, **CLOSE)
    assert not torch.allclose(model.encoder(tokens).last_hidden_state, before, atol=1e-3)


@torch.no_grad()
def test_rewriting_words_leaves_padding_out(build, disturb):
    model = build("bart")
    put(model, "rewrite_prompts", disturb, where=("embed",))
    tokens = tokens_of(2, 4)
    alone = model.encoder(tokens).last_hidden_state
    padded, mask = pad(tokens, (0, 3), value=1), pad(torch.ones_like(tokens), (0, 3))
    found = model.encoder(padded, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found[:, :4], alone, **CLOSE)


def test_rewriting_passes_over_decoders(build):
    (part,) = attach(build("bart"), "rewrite_prompts", where=("embed",)).parts("default")
    assert part.sites == ("encoder.embed_tokens",)
    (part,) = attach(build("whisper"), "rewrite_prompts").parts("default")
    assert part.sites == ("encoder.layers.0",)
    with pytest.raises(ValueError, match="fits none of the 1 modules at embed"):
        attach(build("whisper"), "rewrite_prompts", where=("embed",))


@torch.no_grad()
def test_prefix_prompts_are_made_of_the_input(build, disturb):
    model = build("ast")
    put(model, "prefix_prompts", disturb, {"tokens": 3})
    adapter = adapter_at(model, "layers.0")
    hidden = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(2))
    found = adapter.before(hidden, {})
    summary = adapter.reader(hidden)[0].max(1).values
    expected = adapter.out(adapter.hidden(summary).clamp(min=0)).view(2, 3, 32)
    torch.testing.assert_close(found, torch.cat([expected, hidden], 1), **CLOSE)
    assert not torch.allclose(found[0, :3], found[1, :3], atol=1e-4)


# Invertible adapters


@torch.no_grad()
def test_invertible_is_nices_coupling_and_its_inverse_is_exact(build, disturb):
    model = build("ast")
    put(model, "invertible", disturb)
    adapter = adapter_at(model, "layers.0")
    hidden = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(2))
    found = adapter.before(hidden, {})
    first, second = hidden[..., :16], hidden[..., 16:]
    first = first + adapter.up_first(adapter.down_first(second).clamp(min=0))
    second = second + adapter.up_second(adapter.down_second(first).clamp(min=0))
    torch.testing.assert_close(found, torch.cat([first, second], -1))
    assert not torch.allclose(found, hidden, atol=1e-3)
    torch.testing.assert_close(adapter.inverse(found), hidden, atol=1e-6, rtol=1e-6)


@torch.no_grad()
def test_invertible_fits_word_embeddings(build, disturb):
    model = build("bart")
    words = model.encoder.embed_tokens(tokens_of())
    put(model, "invertible", disturb, where=("encoder.embed",))
    adapter = adapter_at(model, "encoder.embed_tokens")
    found = model.encoder.embed_tokens(tokens_of())
    torch.testing.assert_close(adapter.inverse(found), words, atol=1e-6, rtol=1e-6)


def test_bad_options_are_named(build):
    model = build("ast")
    for name in ("prefix", "shallow_prompts", "deep_prompts", "gated_prompts", "prefix_prompts"):
        with pytest.raises(ValueError, match="'tokens' is 0; expected 1 or more"):
            attach(model, name, {"tokens": 0})
    with pytest.raises(ValueError, match="'reduction' is 0"):
        attach(model, "invertible", {"reduction": 0})
    with pytest.raises(ValueError, match="known: relu"):
        attach(model, "invertible", {"activation": "swish"})
    with pytest.raises(ValueError, match="fits none of the"):
        attach(model, "invertible", where=("mlp",))


@pytest.mark.parametrize("name", ["prefix", "deep_prompts", "gated_prompts", "shallow_prompts"])
def test_models_that_attend_eagerly_get_the_same(name, kind, build, disturb, run):
    found = []
    for implementation in ("sdpa", "eager"):
        model = build(kind)
        model.set_attn_implementation(implementation)
        with torch.no_grad():
            before = run(kind, model)
            adapters = attach(model, name, {"tokens": 3})
            disturb(adapters, "default")
            found.append(run(kind, model))
            adapters.use(None)
            assert torch.equal(run(kind, model), before)
    torch.testing.assert_close(*found, **CLOSE)


def test_other_ways_to_attend_are_told(build):
    model = build("bart")
    model.config._attn_implementation = "flex_attention"
    with pytest.raises(ValueError, match="attends by 'flex_attention'.*'sdpa' or 'eager'"):
        attach(model, "prefix")
