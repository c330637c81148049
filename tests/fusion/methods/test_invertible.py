"""Invertible adapters: NICE's coupling, whose inverse is exact."""

import torch


@torch.no_grad()
def test_invertible_is_nices_coupling_and_its_inverse_is_exact(build, adapter_at, attach_disturbed):
    model = build("ast")
    attach_disturbed(model, "invertible")
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
def test_invertible_fits_word_embeddings(build, tokens_of, adapter_at, attach_disturbed):
    model = build("bart")
    words = model.encoder.embed_tokens(tokens_of())
    attach_disturbed(model, "invertible", where=("encoder.embed",))
    adapter = adapter_at(model, "encoder.embed_tokens")
    found = model.encoder.embed_tokens(tokens_of())
    torch.testing.assert_close(adapter.inverse(found), words, atol=1e-6, rtol=1e-6)
