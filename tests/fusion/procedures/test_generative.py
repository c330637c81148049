"""Adapters that a network generates from a context."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from fusion.adapters.interface import Adapters
from fusion.procedures.generative import GenerativeAdapter, GenerativeOptions, flatten_spectrum

TINY = GenerativeOptions(rank=6, directions=3, iterations=20, alpha=12.0)


def tiny_llama() -> nn.Module:
    from transformers import LlamaConfig, LlamaModel

    torch.manual_seed(0)
    sizes = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, vocab_size=99)
    return LlamaModel(LlamaConfig(num_attention_heads=2, **sizes)).eval()


def tokens(rows: int, length: int, seed: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, 99, (rows, length), generator=generator)


def generator_of(model: nn.Module) -> GenerativeAdapter:
    torch.manual_seed(1)
    generator = GenerativeAdapter(model, TINY)
    with torch.no_grad():
        for one in generator.generators:
            one.up.normal_(std=0.1)
    return generator


def test_generator_has_the_size_of_the_paper_s():
    from transformers import MistralConfig, MistralModel

    with torch.device("meta"):
        generator = GenerativeAdapter(MistralModel(MistralConfig()))
    assert sum(p.numel() for p in generator.parameters()) == 537_001_984


def test_a_fresh_generator_changes_nothing():
    model, question = tiny_llama(), tokens(2, 4)
    before = model(question).last_hidden_state
    generator = GenerativeAdapter(model, TINY)
    generator.add({"input_ids": tokens(1, 20)})
    generator.write()
    assert torch.equal(model(question).last_hidden_state, before)
    with pytest.raises(ValueError, match="take another name"):
        GenerativeAdapter(model, TINY)


def test_generated_matrices_are_the_paper_s_formula():
    model, context = tiny_llama(), tokens(1, 20)
    generator = generator_of(model)
    generator.add({"input_ids": context})
    generator.write()
    one = generator.generators[0]
    hidden = model.embed_tokens(context)[0]
    normed = one.norm.weight * hidden * (hidden.square().mean(-1, keepdim=True) + 1e-6).rsqrt()
    summary = sum(torch.outer(one.key @ t, one.value @ t) for t in normed)
    torch.testing.assert_close(generator.summaries[0], summary)
    left, _, right = torch.linalg.svd(summary)
    expected = right[:3].T @ left[:, :3].T @ one.down
    lora = model.layers[0].self_attn.o_proj
    torch.testing.assert_close(lora.lora_A["generated"].weight, expected, atol=1e-3, rtol=1e-2)
    assert torch.equal(lora.lora_B["generated"].weight, one.up)
    assert lora.scaling["generated"] == 2.0


def test_a_context_read_in_pieces_is_the_sum_and_does_not_depend_on_what_was_written():
    model = tiny_llama()
    generator = generator_of(model)
    pieces = [{"input_ids": tokens(1, 9, seed)} for seed in (3, 4)]
    generator.add({"input_ids": torch.cat([piece["input_ids"] for piece in pieces])})
    whole = [summary.clone() for summary in generator.summaries]
    generator.reset()
    for piece in pieces:
        generator.add(piece)
        generator.write()
    for found, expected in zip(generator.summaries, whole, strict=True):
        torch.testing.assert_close(found, expected)
    assert generator.adapters.active == ["generated"]
    assert not any(block._forward_pre_hooks for block in model.layers)


def test_padding_is_no_part_of_the_context():
    generator = generator_of(tiny_llama())
    short, padded = tokens(1, 9), torch.cat([tokens(1, 9), torch.zeros(1, 3, dtype=torch.long)], 1)
    mask = torch.arange(12)[None] < 9
    generator.add({"input_ids": short})
    expected = [summary.clone() for summary in generator.summaries]
    generator.reset()
    generator.add({"input_ids": padded, "attention_mask": mask.long()}, mask)
    assert generator.tokens == 9
    for found, wanted in zip(generator.summaries, expected, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match=r"The mask is \[1, 12\]"):
        generator.add({"input_ids": short}, mask)


def test_gradients_reach_the_whole_generator_and_it_learns():
    model, question = tiny_llama(), tokens(2, 4)
    generator = generator_of(model)
    with torch.no_grad():
        wanted = model(question).last_hidden_state + 0.1

    def loss() -> torch.Tensor:
        generator.reset()
        generator.add({"input_ids": tokens(1, 20)})
        outputs = functional_call(model, generator.generate(), (), {"input_ids": question})
        return (outputs.last_hidden_state - wanted).square().mean()

    first = loss()
    first.backward()
    assert all(p.grad is not None and p.grad.any() for p in generator.parameters())
    assert all(p.grad is None for p in model.parameters())
    optimiser = torch.optim.Adam(generator.parameters(), 0.01)
    for _ in range(10):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
    assert loss() < 0.9 * first


def test_written_is_what_was_run_and_can_be_saved_as_lora(tmp_path):
    model, question = tiny_llama(), tokens(2, 4)
    generator = generator_of(model)
    with pytest.raises(ValueError, match="call `add` first"):
        generator.write()
    generator.add({"input_ids": tokens(1, 20)})
    with torch.no_grad():
        run = functional_call(model, generator.generate(), (), {"input_ids": question})
        generator.write()
        written = model(question).last_hidden_state
    torch.testing.assert_close(run.last_hidden_state, written)
    generator.adapters.save(tmp_path, "generated")
    other = tiny_llama()
    Adapters(other).load(tmp_path, "lora")
    assert torch.equal(other(question).last_hidden_state, written)


def test_one_context_gives_one_adapter_and_leaves_the_random_numbers_alone():
    generator = generator_of(tiny_llama())
    generator.add({"input_ids": tokens(1, 20)})
    state = torch.get_rng_state()
    first, second = generator.generate(), generator.generate()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), state)


def test_equal_singular_values_give_no_gradient_and_noise_no_direction():
    tied = torch.eye(5, requires_grad=True)
    assert not flatten_spectrum(tied, 3, 1).any()
    flat = flatten_spectrum(torch.diag(torch.tensor([3.0, 2.0, 0.0, 0.0])), 3, 1)
    torch.testing.assert_close(flat, torch.diag(torch.tensor([1.0, 1.0, 0.0, 0.0])))
