"""Methods that take over attention: masks, caches, positions and ways to attend."""

import pytest
import torch
from torch.nn.functional import pad

from fusion.adapters.interface import attach

CLOSE = dict(atol=1e-5, rtol=1e-4)
CAUSAL = ["prefix", "deep_prompts", "gated_prompts"]


@pytest.mark.parametrize("name", CAUSAL)
@torch.no_grad()
def test_tokens_do_not_see_later_ones(name, tiny_llama, tokens_of, attach_disturbed):
    model = tiny_llama()
    attach_disturbed(model, name)
    tokens = tokens_of()
    first = model(tokens).last_hidden_state
    tokens[:, 4:] = 50
    second = model(tokens).last_hidden_state
    torch.testing.assert_close(first[:, :4], second[:, :4], **CLOSE)
    assert not torch.allclose(first[:, 4:], second[:, 4:], atol=1e-3)


@pytest.mark.parametrize("name", CAUSAL)
@torch.no_grad()
def test_decoding_with_a_cache_equals_one_pass(name, tiny_llama, tokens_of, attach_disturbed):
    model = tiny_llama()
    attach_disturbed(model, name)
    tokens = tokens_of()
    whole = model(tokens).last_hidden_state
    start = model(tokens[:, :3], use_cache=True)
    middle = model(tokens[:, 3:6], past_key_values=start.past_key_values, use_cache=True)
    end = model(tokens[:, 6:], past_key_values=middle.past_key_values)
    parts = [part.last_hidden_state for part in (start, middle, end)]
    torch.testing.assert_close(torch.cat(parts, 1), whole, **CLOSE)


@pytest.mark.parametrize("name", ["shallow_prompts", "deep_prompts", "prefix", "gated_prompts"])
@torch.no_grad()
def test_padding_changes_nothing(name, build, tokens_of, attach_disturbed):
    model = build("bart")
    attach_disturbed(model, name, {"tokens": 3})
    tokens = tokens_of(1, 4)
    alone = model.encoder(tokens).last_hidden_state
    padded, mask = pad(tokens, (0, 3), value=1), pad(torch.ones_like(tokens), (0, 3))
    found = model.encoder(padded, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found[:, :4], alone, **CLOSE)


@pytest.mark.parametrize("name", ["shallow_prompts", "deep_prompts", "prefix", "gated_prompts"])
@torch.no_grad()
def test_causal_text_encoders_stay_causal(name, build, tokens_of, attach_disturbed):
    model = build("clip").text_model
    attach_disturbed(model, name, {"tokens": 3})
    tokens = tokens_of(1, 6)
    alone = model(tokens[:, :4]).last_hidden_state
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]])
    for given in (None, mask):
        found = model(tokens, attention_mask=given).last_hidden_state
        torch.testing.assert_close(found[:, :4], alone, **CLOSE)


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
def test_prompts_work_beside_relative_positions(name, tokens_of, attach_disturbed):
    from transformers import T5Config, T5Model

    torch.manual_seed(0)
    config = T5Config(vocab_size=99, d_model=32, d_ff=48, d_kv=16, num_layers=2, num_heads=2)
    model = T5Model(config).eval()
    attach_disturbed(model, name, {"tokens": 3})
    tokens = tokens_of(1, 4)
    alone = model.encoder(tokens).last_hidden_state
    padded, mask = pad(tokens, (0, 3)), pad(torch.ones_like(tokens), (0, 3))
    found = model.encoder(padded, attention_mask=mask).last_hidden_state
    torch.testing.assert_close(found[:, :4], alone, **CLOSE)
    steps = tokens_of(1, 5)
    states = model(input_ids=tokens, decoder_input_ids=steps).last_hidden_state
    earlier = model(input_ids=tokens, decoder_input_ids=steps[:, :3]).last_hidden_state
    torch.testing.assert_close(states[:, :3], earlier, **CLOSE)


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
