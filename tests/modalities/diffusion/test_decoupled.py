from typing import Any

import pytest
import torch

from modalities.diffusion.audio_adapter import AudioAdapter, AudioAdapterOptions, AudioTokens
from modalities.diffusion.decoupled import Prompt, add_audio, cross_attentions
from modalities.tensor_hash import hash_weights

diffusers: Any = pytest.importorskip("diffusers")


def noisy(rows: int) -> torch.Tensor:
    return torch.randn(rows, 12, 4, 8, generator=torch.Generator().manual_seed(rows))


def tokens(rows: int, count: int) -> torch.Tensor:
    return torch.randn(rows, count, 12, generator=torch.Generator().manual_seed(count))


def test_published_counts_are_those_of_stable_diffusion():
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel(cross_attention_dim=768)
        keys, values = add_audio(unet)
        mlp = AudioTokens(AudioAdapterOptions(), 768)
    layers = sum(p.numel() for part in (keys, values) for p in part.parameters())
    assert len(keys) == len(values) == 16
    assert layers == 19_169_280
    assert sum(p.numel() for p in mlp.parameters()) == 2_629_888
    assert layers + 2_629_888 == 21_799_168


def test_new_layers_begin_as_the_texts_own(denoiser, adapter):
    for name, attention in cross_attentions(denoiser.unet):
        new = adapter.keys[name.replace(".", "-")]
        assert torch.equal(new.weight, attention.to_k.weight)
        assert new.weight.data_ptr() != attention.to_k.weight.data_ptr()


def test_denoiser_is_what_it_was_with_sounds_on_it(denoiser):
    text = Prompt(tokens(2, 3))
    before, known = denoiser(noisy(2), torch.tensor(500), text), denoiser.identity
    AudioAdapter(denoiser, AudioAdapterOptions(sources=3, dim=6, hidden=10))
    after = denoiser(noisy(2), torch.tensor(500), Prompt(tokens(2, 3)))
    assert torch.allclose(before, after, atol=1e-6)
    assert hash_weights(denoiser) == known


def test_attention_is_that_of_diffusers_ip_adapter(denoiser, adapter):
    text, audio = tokens(2, 3), tokens(2, 2)
    for layer in (*adapter.keys.values(), *adapter.values.values()):
        torch.nn.init.normal_(layer.weight, std=0.5)
    ours = denoiser(noisy(2), torch.tensor(500), Prompt(text, audio))
    for name, attention in cross_attentions(denoiser.unet):
        width = attention.to_q.out_features
        theirs = diffusers.models.attention_processor.IPAdapterAttnProcessor2_0(width, 12, (2,))
        theirs.to_k_ip[0] = adapter.keys[name.replace(".", "-")]
        theirs.to_v_ip[0] = adapter.values[name.replace(".", "-")]
        attention.set_processor(theirs)
    found = denoiser.unet(noisy(2), torch.tensor(500), (text, [audio]), return_dict=False)[0]
    assert torch.allclose(ours, found, atol=1e-5)
    assert not torch.allclose(ours, denoiser.unet(noisy(2), 500, (text, [0 * audio]))[0])


def test_tokens_of_sounds_are_never_taken_for_the_text(denoiser, adapter):
    """The published software passes six tokens alone, which its attention cuts as text."""
    text, audio = tokens(2, 3), tokens(2, 6)
    both = denoiser(noisy(2), torch.tensor(500), Prompt(text, audio))
    for layer in adapter.values.values():
        torch.nn.init.zeros_(layer.weight)
    silent = denoiser(noisy(2), torch.tensor(500), Prompt(text, audio))
    alone = denoiser(noisy(2), torch.tensor(500), Prompt(text))
    assert torch.allclose(silent, alone, atol=1e-6)  # the text is read as ever
    assert not torch.allclose(both, alone, atol=1e-3)


def test_each_row_reads_its_own_sounds(denoiser, adapter):
    text, audio = tokens(2, 3), tokens(2, 2)
    both = denoiser(noisy(2), torch.tensor(500), Prompt(text, audio))
    for row in range(2):
        one = slice(row, row + 1)
        alone = denoiser(noisy(2)[one], torch.tensor(500), Prompt(text[one], audio[one]))
        assert torch.allclose(both[one], alone, atol=1e-5)


def test_keys_and_values_are_made_once_a_condition(denoiser, adapter):
    counted = []
    for layer in adapter.keys.values():
        layer.register_forward_hook(lambda *_: counted.append(1))
    for _, attention in cross_attentions(denoiser.unet):
        attention.to_k.register_forward_hook(lambda *_: counted.append(1))
    prompt = Prompt(tokens(2, 3), tokens(2, 2))
    with torch.no_grad():
        first = denoiser(noisy(2), torch.tensor(500), prompt)
        assert len(counted) == 2 * len(adapter.keys)
        assert torch.equal(denoiser(noisy(2), torch.tensor(500), prompt), first)
        assert len(counted) == 2 * len(adapter.keys)
        other = denoiser(noisy(2), torch.tensor(500), Prompt(tokens(2, 3), tokens(2, 1)))
    assert not torch.allclose(first, other)


def test_gradients_reach_the_adapter_and_nothing_else(denoiser, adapter):
    adapter.train()
    prompt = adapter.prompt(denoiser, torch.randn(2, 2, 6))
    denoiser(noisy(2), torch.tensor(500), prompt).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in adapter.parameters())
    assert all(p.grad is None for p in denoiser.parameters())


def test_sets_of_tokens_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="as many rows, and one width"):
        Prompt(tokens(2, 3), tokens(1, 3))
    with pytest.raises(ValueError, match="without cross-attention"):
        add_audio(torch.nn.Linear(2, 2))


def test_sources_that_are_not_there_are_zeros(denoiser, adapter):
    embeddings = torch.randn(2, 2, 6)
    filled = torch.cat([embeddings, torch.zeros(2, 1, 6)], 1)
    assert torch.equal(adapter.fill(embeddings), filled)
    assert torch.equal(adapter.null(2), adapter.tokens(torch.zeros(2, 3, 6)))
    with pytest.raises(ValueError, match="up to 3 sources"):
        adapter.prompt(denoiser, torch.randn(2, 4, 6))
    with pytest.raises(ValueError, match="up to 3 sources"):
        adapter.prompt(denoiser, torch.randn(2, 3, 5))


def test_rows_that_are_taken_keep_their_keys_and_values(denoiser, adapter):
    prompt, rows, made = Prompt(tokens(2, 3), tokens(2, 2)), torch.tensor([1, 0, 1]), []
    layer = torch.nn.Linear(12, 5)
    layer.register_forward_hook(lambda *_: made.append(1))
    with torch.no_grad():
        for _ in range(2):
            taken = prompt.take(rows)
            assert torch.equal(taken.project(layer, taken.text), layer(prompt.text[rows]))
        assert len(made) == 3  # once for the taken ones, and twice just above
        assert torch.equal(prompt.take(rows).audio, prompt.audio[rows])
    assert prompt.take(rows) is not taken  # while something learns, each has its own graph
