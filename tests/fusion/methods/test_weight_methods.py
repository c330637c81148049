"""Methods on the weights themselves, and the procedures that make or carry over adapters."""

from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional

from fusion.adapters.interface import Adapters, attach
from fusion.methods.sparse_tuning import select
from fusion.procedures.generative import GenerativeAdapter, GenerativeOptions, flatten_spectrum
from fusion.procedures.transfer import TransferOptions, train_discriminator, transfer


def t5():
    from transformers import T5Config, T5Model

    return T5Model(T5Config(d_model=32, d_ff=48, d_kv=16, num_layers=2, num_heads=2, vocab_size=99))


def two_layers() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 10))


def read(rows: int = 3, dim: int = 12) -> torch.Tensor:
    return torch.randn(rows, 5, dim, generator=torch.Generator().manual_seed(2))


def tensors(adapters: Adapters, name: str = "default") -> dict[str, torch.Tensor]:
    return {
        path.replace("mcgurk_adapters.", ""): parameter.detach()
        for path, parameter in adapters.named_parameters(name).items()
    }


def test_bitfit_moves_the_biases(disturb):
    model = two_layers()
    expected = deepcopy(model)
    adapters = attach(model, "bitfit", None, ("0", "1"))
    disturb(adapters, "default")
    moved = tensors(adapters)
    with torch.no_grad():
        expected[0].bias += moved["0.bias"]
        expected[1].bias += moved["1.bias"]
    torch.testing.assert_close(model(read()), expected(read()))


def test_bitfit_passes_over_layers_without_bias(build):
    adapters = attach(build("whisper"), "bitfit", None, ("k", "v"))
    (part,) = adapters.parts("default")
    assert part.sites and all(name.endswith("v_proj") for name in part.sites)
    with pytest.raises(ValueError, match="fits none of the"):
        attach(t5(), "bitfit", None, ("q",))


def test_scale_shift_follows_each_module(disturb):
    model = two_layers()
    norm, linear = deepcopy(model)
    adapters = attach(model, "scale_shift", None, ("0", "1"))
    disturb(adapters, "default")
    got = tensors(adapters)
    hidden = got["0.gain"] * norm(read()) + got["0.shift"]
    expected = got["1.gain"] * linear(hidden) + got["1.shift"]
    torch.testing.assert_close(model(read()), expected)


def test_scale_shift_of_a_norm_without_bias_is_a_gain_and_merges(disturb):
    model = nn.Sequential(nn.RMSNorm(12))
    adapters = attach(model, "scale_shift", None, ("0",))
    disturb(adapters, "default")
    expected = model(read())
    assert adapters.count("default") == 12 == len(adapters.parameters("default")[0])
    adapters.merge()
    torch.testing.assert_close(model(read()), expected)


def norms() -> dict[str, nn.Module]:
    from transformers.models.llama.modeling_llama import LlamaRMSNorm
    from transformers.models.t5.modeling_t5 import T5LayerNorm

    return {
        "LayerNorm": nn.LayerNorm(12, eps=0.1),
        "LayerNorm without bias": nn.LayerNorm(12, bias=False),
        "RMSNorm": nn.RMSNorm(12),
        "LlamaRMSNorm": LlamaRMSNorm(12, eps=0.1),
        "T5LayerNorm": T5LayerNorm(12, eps=0.1),
    }


@pytest.mark.parametrize("norm", list(norms()))
@pytest.mark.parametrize("method", ["norm_tuning", "sparse_tuning", "scale_shift"])
def test_norms_of_all_kinds_change_as_their_own_parameters_would(norm, method, disturb):
    model = nn.Sequential(norms()[norm])
    with torch.no_grad():
        model[0].weight += 0.1 * torch.arange(12)
    adapters = attach(model, method, None, ("0",))
    assert adapters.count("default") == sum(p.numel() for p in adapters.parameters("default"))
    disturb(adapters, "default")
    expected = model(read())
    frozen = model[0].weight.clone()
    adapters.merge()
    assert not torch.equal(model[0].weight, frozen)
    torch.testing.assert_close(model(read()), expected)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("form", ["input", "output"])
def test_bias_scale_is_the_paper_s_formula_and_merges(form, bias, disturb):
    model = nn.Sequential(nn.Linear(12, 10, bias=bias))
    weight, own = model[0].weight.clone(), model[0].bias.clone() if bias else torch.zeros(10)
    adapters = attach(model, "bias_scale", {"form": form}, ("0",))
    disturb(adapters, "default")
    scale, shift = tensors(adapters)["0.scale"], tensors(adapters)["0.bias"]
    if form == "input":
        expected = functional.linear(read() * scale, weight, own) + shift
    else:
        expected = scale * (functional.linear(read(), weight, own) + shift)
    torch.testing.assert_close(model(read()), expected)
    adapters.merge()
    torch.testing.assert_close(model(read()), expected)
    adapters.unmerge()
    assert (model[0].bias is not None) == bias


def test_paca_has_the_gradients_of_the_weight_s_columns():
    model = nn.Sequential(nn.Linear(12, 10))
    dense = deepcopy(model)
    adapters = attach(model, "paca", {"rank": 4, "alpha": 8.0}, ("0",))
    model(read()).square().sum().backward()
    dense(read()).square().sum().backward()
    (columns,) = adapters.parameters("default")
    index = model[0].mcgurk_site.mcgurk_adapters["default"].index
    torch.testing.assert_close(columns.grad, 2.0 * dense[0].weight.grad[:, index])


def test_paca_chooses_other_columns_by_layer_and_by_seed():
    def chosen(seed: int) -> list[list[int]]:
        model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 64))
        attach(model, "paca", {"seed": seed}, ("0", "1"))
        held = [layer.mcgurk_site.mcgurk_adapters["default"] for layer in model]
        return [adapter.index.tolist() for adapter in held]

    first, second = chosen(0)
    assert first != second
    assert chosen(0) == [first, second]
    assert chosen(1) != [first, second]


def saved_values(method: str) -> set[int]:
    """Return the values per token that training keeps, as widths of the tensors."""
    model = nn.Sequential(nn.Linear(64, 48))
    attach(model, method, {"rank": 4}, ("0",))
    widths = set()

    def note(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.ndim > 1 and tensor.numel() // tensor.shape[-1] == 3 * 5:
            widths.add(tensor.shape[-1])
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model(read(3, 64)).sum()
    return widths


def test_paca_keeps_the_chosen_inputs_alone_for_training():
    assert saved_values("paca") == {4}
    assert saved_values("lora") == {64, 4}


def test_paca_refuses_more_columns_than_there_are_and_leaves_the_model_alone():
    model = two_layers()
    with pytest.raises(ValueError, match="'rank' of 'paca' is 13; 1 has 12 columns"):
        attach(model, "paca", {"rank": 13}, ("1",))
    assert len(list(model.modules())) == 3


def moved_model(build, disturb, run, name: str = "default", seed: int = 0, model=None):
    model = build("ast") if model is None else model
    adapters = attach(model, "sparse_tuning", name=name)
    disturb(adapters, name, seed)
    return model, adapters


def test_select_keeps_the_entries_that_moved_most_over_all_tensors(build, disturb, run):
    model, adapters = moved_model(build, disturb, run)
    dense = {path: p.detach().clone() for path, p in adapters.named_parameters("default").items()}
    select(adapters, "default", 1000)
    assert adapters.count("default") == 1000
    assert sum(p.numel() for p in adapters.parameters("default")) == 1000
    assert not any(p.any() for p in adapters.parameters("default"))
    threshold = torch.cat([d.abs().flatten() for d in dense.values()]).sort().values[-1000]
    buffers = dict(model.named_buffers())
    for path, values in dense.items():
        site, kind = path.split(".mcgurk_adapters.")
        index = buffers[f"{site}.mcgurk_site.mcgurk_adapters.default.{kind}_index"]
        assert index.tolist() == (values.flatten().abs() >= threshold).nonzero().flatten().tolist()


def test_the_published_number_of_entries_is_kept_exactly():
    from transformers import ASTConfig, ASTModel

    torch.manual_seed(0)
    adapters = attach(ASTModel(ASTConfig(num_hidden_layers=2)), "sparse_tuning")
    with torch.no_grad():
        for parameter in adapters.parameters("default"):
            parameter.normal_()
    entries = 12 * 2 * 768 * 384 + 768**2
    assert entries == 7_667_712
    select(adapters, "default", entries)
    assert sum(p.numel() for p in adapters.parameters("default")) == entries
    assert adapters.bytes("default") == entries * (4 + 8)


def test_selected_entries_are_trained_merged_and_nothing_else_moves(build, disturb, run):
    model, adapters = moved_model(build, disturb, run)
    before = {
        name: p.detach().clone() for name, p in model.named_parameters() if "mcgurk" not in name
    }
    frozen = run("ast", build("ast"))
    select(adapters, "default", 500)
    assert torch.equal(run("ast", model), frozen)
    run("ast", model).square().mean().backward()
    held = [p for p in adapters.parameters("default") if p.numel()]
    assert all(p.grad is not None and p.grad.any() for p in held)
    disturb(adapters, "default")
    expected = run("ast", model)
    assert not torch.allclose(expected, frozen, atol=1e-4)
    adapters.merge()
    torch.testing.assert_close(run("ast", model), expected, atol=1e-5, rtol=1e-5)
    after = dict(model.named_parameters())
    assert 490 < sum(int((after[name] != p).sum()) for name, p in before.items()) <= 500
    adapters.unmerge()
    assert all(torch.equal(after[name], p) for name, p in before.items())


def test_selected_entries_are_saved_as_positions_and_values(build, disturb, run, tmp_path):
    from safetensors.torch import load_file, save_file

    model, adapters = moved_model(build, disturb, run)
    select(adapters, "default", 300)
    disturb(adapters, "default")
    adapters.save(tmp_path, "default")
    file = tmp_path / "adapter_model.safetensors"
    stored = load_file(file)
    assert sum(t.numel() for name, t in stored.items() if name.endswith("_index")) == 300
    other = build("ast")
    Adapters(other).load(tmp_path, "again")
    assert torch.equal(run("ast", other), run("ast", model))
    assert Adapters(other).count("again") == 300
    key = next(name for name, t in stored.items() if name.endswith("weight_index") and len(t))
    stored[key][-1] = 10**6
    save_file(stored, file)
    with pytest.raises(ValueError, match="outside of its shape"):
        Adapters(build("ast")).load(tmp_path, "again")


def test_sparse_adapters_are_composed_by_their_sum(build, disturb, run):
    model, adapters = moved_model(build, disturb, run, "language", 1)
    moved_model(build, disturb, run, "task", 2, model)
    for seed, name in enumerate(["language", "task"]):
        select(adapters, name, 400)
        disturb(adapters, name, seed)
    expected = build("ast")
    with torch.no_grad():
        for path, parameter in expected.named_parameters():
            site, _, kind = path.rpartition(".")
            holder = getattr(model.get_submodule(site), "mcgurk_site", None)
            for name in ("language", "task") if holder is not None else ():
                change = holder.mcgurk_adapters[name].change(kind)
                parameter += 0 if change is None else change
    adapters.use(["language", "task"])
    composed = run("ast", model)
    torch.testing.assert_close(composed, run("ast", expected), atol=1e-5, rtol=1e-4)
    adapters.use(["task", "language"])
    torch.testing.assert_close(run("ast", model), composed, atol=1e-5, rtol=1e-4)


def test_select_says_what_it_cannot_do(build):
    model = build("ast")
    adapters = attach(model, "bitfit", name="other")
    attach(model, "sparse_tuning", where=("q",), name="one")
    with pytest.raises(ValueError, match="0 parts of sparse tuning"):
        select(adapters, "other", 3)
    with pytest.raises(ValueError, match="has 2112 entries; 2113 cannot be kept"):
        select(adapters, "one", 2113)
    select(adapters, "one", 3)
    with pytest.raises(ValueError, match="then select once"):
        select(adapters, "one", 2)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("bias_scale", {"form": "both"}, "known: input, output"),
        ("bitfit", {"rank": 2}, "has no option 'rank'; known: none"),
        ("sparse_tuning", {"entries": -1}, "expected 0 for all"),
    ],
)
def test_bad_options_are_refused(method, options, message):
    with pytest.raises(ValueError, match=message):
        attach(two_layers(), method, options, ("1",))


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


def clip_vision(layers: int, seed: int) -> nn.Module:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(seed)
    sizes = dict(hidden_size=32, intermediate_size=48, num_attention_heads=2, image_size=16)
    return CLIPVisionModel(CLIPVisionConfig(num_hidden_layers=layers, patch_size=8, **sizes)).eval()


def pooled(model: nn.Module, batch) -> torch.Tensor:
    return model(batch["pixel_values"]).pooler_output


def pictures(count: int, seed: int, shift: float = 0.0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {"pixel_values": torch.randn(count, 3, 16, 16, generator=generator) + shift}


def test_a_transferred_adapter_does_what_the_source_s_does(disturb):
    source, target = clip_vision(2, 0), clip_vision(3, 1)
    disturb(attach(source, "lora", {"rank": 4}, name="known"), "known")
    adapters = Adapters(source)
    adapters.use(None)
    attach(target, "lora", {"rank": 4}, ("q", "v", "o", "fc2"), name="new")
    Adapters(target).use(None)
    batches = [pictures(8, seed) for seed in range(4)]
    options = TransferOptions(samples=32, epochs=10, learning_rate=0.01)
    losses = transfer(source, "known", target, "new", batches, pooled, options=options)
    assert len(losses) == 10
    assert losses[-1] < 0.7 * losses[0]
    assert adapters.active == [] and Adapters(target).active == ["new"]
    unseen = pictures(8, 9)
    with torch.no_grad():
        adapters.use("known")
        wanted, near = pooled(source, unseen), pooled(target, unseen)
        Adapters(target).use(None)
        far = pooled(target, unseen)
    assert functional.mse_loss(near, wanted) < functional.mse_loss(far, wanted)


def test_rows_that_the_discriminator_refuses_are_not_learned_from(disturb):
    source, target = clip_vision(2, 0), clip_vision(2, 1)
    disturb(attach(source, "lora", {"rank": 2}, name="known"), "known")
    attach(target, "lora", {"rank": 2}, name="new")

    def features(batch) -> torch.Tensor:
        return batch["pixel_values"].mean((2, 3))

    probe = train_discriminator(features(pictures(20, 1)), features(pictures(20, 2, shift=2.0)))
    mixed = {
        name: torch.cat([values, pictures(3, 4, shift=2.0)[name]])
        for name, values in pictures(5, 3).items()
    }
    seen = []

    def watch(model: nn.Module, batch) -> torch.Tensor:
        seen.append(batch["pixel_values"])
        return pooled(model, batch)

    once = TransferOptions(samples=8, epochs=1)
    names = ("known", target, "new")
    transfer(source, *names, [mixed, mixed], watch, lambda b: probe(features(b)) > 0, options=once)
    assert [len(batch) for batch in seen] == [5, 3, 5, 3]
    assert torch.equal(seen[0], mixed["pixel_values"][:5])
    with pytest.raises(ValueError, match="None of 8 inputs was kept"):
        transfer(source, *names, [mixed], watch, lambda b: probe(features(b)) > 99)


def test_an_adapter_is_transferred_within_one_model(disturb):
    model = clip_vision(2, 0)
    disturb(attach(model, "lora", {"rank": 2}, name="known"), "known")
    attach(model, "bitfit", name="new")
    before = [p.clone() for p in Adapters(model).parameters("known")]
    options = TransferOptions(epochs=8, learning_rate=0.01)
    losses = transfer(model, "known", model, "new", [pictures(8, 1)], pooled, options=options)
    assert losses[-1] < losses[0]
    after = Adapters(model).parameters("known")
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
