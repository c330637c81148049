"""P-Adapters: prompts rewritten by, or made of, what comes in."""

import pytest
import torch
from torch.nn.functional import pad

from fusion.adapters.interface import attach

CLOSE = dict(atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_rewriting_without_residual_is_the_papers(build, tokens_of, adapter_at):
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
def test_rewriting_words_leaves_padding_out(build, tokens_of, attach_disturbed):
    model = build("bart")
    attach_disturbed(model, "rewrite_prompts", where=("embed",))
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
def test_prefix_prompts_are_made_of_the_input(build, adapter_at, attach_disturbed):
    model = build("ast")
    attach_disturbed(model, "prefix_prompts", {"tokens": 3})
    adapter = adapter_at(model, "layers.0")
    hidden = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(2))
    found = adapter.before(hidden, {})
    summary = adapter.reader(hidden)[0].max(1).values
    expected = adapter.out(adapter.hidden(summary).clamp(min=0)).view(2, 3, 32)
    torch.testing.assert_close(found, torch.cat([expected, hidden], 1), **CLOSE)
    assert not torch.allclose(found[0, :3], found[1, :3], atol=1e-4)
