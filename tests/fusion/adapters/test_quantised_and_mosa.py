"""Adapters of a few bits an entry, and experts that share the entries of one adapter."""

import copy
import json

import pytest
import torch
from torch import nn
from torch.nn import functional

from fusion.adapters.interface import Adapters, attach
from fusion.adapters.quantisation import (
    Quantised,
    levels_of,
    pack_codes,
    packed_bytes,
    quantise,
    unpack_codes,
)
from fusion.methods.catalog import METHODS
from fusion.methods.mosa import Mosa, consistency_loss
from fusion.procedures.packed import read_packed, write_packed

KINDS = ("whisper", "ast", "clip", "bart")
ADAPTFORMER = {"mode": "parallel", "input": "norm", "activation": "relu", "bias": False}
CASES: dict[str, tuple[str, dict, tuple[str, ...] | None, int]] = {
    "lora": ("lora", {"rank": 2}, None, 1),
    "lora, 3 bits": ("lora", {"rank": 2}, ("q", "fc1"), 3),
    "dora": ("lora", {"rank": 2, "magnitudes": True}, None, 1),
    "bottleneck": ("bottleneck", {"rank": 4}, None, 1),
    "bottleneck, 2 bits": ("bottleneck", {"rank": 4, "norm": True}, None, 2),
    "hydra": ("hydra", {"bias": True}, None, 1),
    "prefix": ("prefix", {"tokens": 3}, None, 1),
    "mosa": ("mosa", {"rank": 4, "experts": 2}, None, 1),
    "mosa, both": ("mosa", {"rank": 4, "experts": 2, "split": "both"}, None, 1),
    "paca": ("paca", {"rank": 2}, None, 1),
    "gated prompts": ("gated_prompts", {"tokens": 3}, None, 8),
}
EVERY = pytest.mark.parametrize("case", list(CASES))


def put(model, case: str, name: str = "one") -> Adapters:
    method, options, where, bits = CASES[case]
    return attach(model, method, options, where, name=name, bits=bits)


@torch.no_grad()
def output(run, kind, model):
    return run(kind, model)


def vit(device: str = "meta") -> nn.Module:
    from transformers import ViTConfig, ViTModel

    with torch.device(device):
        return ViTModel(ViTConfig())


def experts_of(model) -> list[Mosa]:
    return [module for module in model.modules() if isinstance(module, Mosa)]


# MoSA


def test_masks_are_disjoint_of_equal_size_and_sum_to_one(build):
    model = build("ast")
    attach(model, "mosa", {"rank": 5, "experts": 3, "split": "both"})
    for adapter in experts_of(model):
        for experts in (adapter.up_experts, adapter.down_experts):
            masks = torch.stack([experts == e for e in range(3)])
            sizes = masks.flatten(1).sum(1)
            assert torch.equal(masks.sum(0), torch.ones_like(experts, dtype=torch.int64))
            assert int(sizes.max() - sizes.min()) <= 1
            # Random: no expert has whole rows of its own.
            assert all(len(row.unique()) > 1 for row in experts.T if len(row) > 8)


def test_masks_come_from_seed_and_site_alone(build):
    def masks(seed: int, lora_first: bool) -> list[torch.Tensor]:
        torch.manual_seed(seed + 17)
        model = build("whisper")
        if lora_first:
            attach(model, "lora", {"rank": 2}, ("fc2",), name="other")
        attach(model, "mosa", {"rank": 4, "seed": seed})
        return [adapter.up_experts for adapter in experts_of(model)]

    first, again, other = masks(0, False), masks(0, True), masks(1, False)
    assert all(map(torch.equal, first, again))
    assert not any(map(torch.equal, first, other))
    assert not torch.equal(first[0], first[1])


@pytest.mark.parametrize("split", ["up", "both"])
def test_a_step_reaches_only_the_entries_of_the_expert_that_was_drawn(split, build, run, disturb):
    model = build("ast")
    adapters = attach(model, "mosa", {"rank": 4, "split": split})
    disturb(adapters, "default")
    model.train()
    run("ast", model).square().mean().backward()
    drawn = []
    for adapter in experts_of(model):
        for kind in ("up", "down"):
            gradient = getattr(adapter, kind).weight.grad
            experts = getattr(adapter, f"{kind}_experts", None)
            if experts is None:
                assert gradient.abs().min() > 0
                continue
            reached = experts[gradient != 0].unique()
            assert len(reached) == 1
            drawn.append(int(reached))
            assert (gradient != 0).sum() == (experts == reached).sum()
    if split == "both":
        assert drawn[0::2] == drawn[1::2]


def test_in_evaluation_it_is_a_plain_bottleneck(build, run, disturb):
    options = {"rank": 4, "input": "norm", "norm": True, "scale": 0.1}
    model, plain = build("clip"), build("clip")
    adapters = attach(model, "mosa", options)
    others = attach(plain, "bottleneck", options | {"mode": "parallel"}, ("mlp",))
    disturb(adapters, "default")
    with torch.no_grad():
        found = adapters.named_parameters("default")
        for name, parameter in others.named_parameters("default").items():
            parameter.copy_(found[name])
    assert torch.equal(output(run, "clip", model), output(run, "clip", plain))


@pytest.mark.parametrize("split", ["up", "both"])
def test_experts_add_up_to_the_whole(split, build, disturb):
    model = build("ast")
    adapters = attach(model, "mosa", {"rank": 4, "experts": 3, "split": split, "bias": False})
    adapter = experts_of(model)[0]
    features = torch.randn(2, 5, 32)
    with torch.no_grad():
        disturb(adapters, "default")
        if split == "both":  # then the experts differ in what they make of the input
            adapter.down.weight.copy_(adapter.down_start)
        each = torch.stack([adapter.run(features, expert) for expert in range(3)])
        torch.testing.assert_close(each.sum(0), adapter.run(features))
        assert not torch.allclose(each[0], each[1])
        if split == "both":
            adapter.down.weight.add_(1)
            moved = adapter.down_experts == 1
            expected = adapter.down_start + moved
            narrow = functional.gelu(functional.linear(features, expected))
            up = adapter.up.weight * (adapter.up_experts == 1)
            torch.testing.assert_close(adapter.run(features, 1), functional.linear(narrow, up))


def test_blocks_draw_their_experts_each_for_itself(build, run, disturb, monkeypatch):
    model = build("ast")
    disturb(attach(model, "mosa", {"rank": 4, "experts": 2}), "default")
    drawn: list[int] = []
    plain = Mosa.run

    def note(self, inputs, expert=-1):
        drawn.append(expert)
        return plain(self, inputs, expert)

    monkeypatch.setattr(Mosa, "run", note)
    model.train()
    torch.manual_seed(0)
    first = [output(run, "ast", model) for _ in range(40)]
    pairs = list(zip(drawn[0::2], drawn[1::2], strict=True))
    assert set(pairs) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert all(4 <= pairs.count(pair) <= 18 for pair in set(pairs))
    torch.manual_seed(0)
    assert torch.equal(output(run, "ast", model), first[0])
    model.eval()
    output(run, "ast", model)
    assert drawn[-2:] == [-1, -1]


def test_mosa_has_the_published_count():
    adapters = attach(vit(), "mosa", {"rank": 64})
    assert adapters.count("default") == 1_189_632
    assert sum(p.numel() for p in adapters.parameters("default")) == 1_189_632
    assert adapters.bytes("default") == 4 * 1_189_632  # the masks are not saved
    normed = attach(vit(), "mosa", {"rank": 64, "norm": True, "input": "norm"})
    assert normed.count("default") == 1_189_632 + 18_432


@pytest.mark.parametrize("method", ["lora", "bottleneck"])
def test_an_adapter_of_a_model_in_evaluation_is_in_evaluation(method, build, run, disturb):
    model = build("whisper")
    disturb(attach(model, method, {"dropout": 0.5}), "default")
    assert torch.equal(output(run, "whisper", model), output(run, "whisper", model))
    model.train()
    attach(model, method, {"dropout": 0.5}, name="other")
    assert all(module.training for module in model.modules())


def test_mosa_needs_an_expert(build):
    with pytest.raises(ValueError, match="'experts' and 'rank' are 0 and 16"):
        attach(build("ast"), "mosa", {"experts": 0})


def test_consistency_loss_is_symmetric_and_zero_for_equal_logits():
    first, second = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    p, q = first.softmax(1), second.softmax(1)
    expected = ((p - q) * (p / q).log()).sum(1).mean() / 2
    torch.testing.assert_close(consistency_loss(first, second), expected)
    torch.testing.assert_close(consistency_loss(second, first), expected)
    assert float(consistency_loss(first, first)) == pytest.approx(0, abs=1e-6)


# Codes


def test_codes_are_the_medians_of_their_bins():
    assert levels_of(1).tolist() == pytest.approx([-0.67449, 0.67449], abs=1e-5)
    normal = torch.distributions.Normal(0.0, 1.0)
    for bits in (2, 3, 4):
        levels = levels_of(bits)
        edges = torch.cat([torch.zeros(1), normal.cdf((levels[1:] + levels[:-1]) / 2)])
        above = torch.cat([edges[1:], torch.ones(1)])
        torch.testing.assert_close(normal.cdf(levels), (edges + above) / 2, atol=1e-4, rtol=0)


@pytest.mark.parametrize("bits", range(1, 9))
def test_codes_are_packed_and_taken_apart(bits):
    codes = torch.randint(2**bits, (3, 7), generator=torch.Generator().manual_seed(bits))
    packed = pack_codes(codes, bits)
    assert packed.dtype == torch.uint8 and len(packed) == packed_bytes(21, bits)
    assert torch.equal(unpack_codes(packed, bits, 21), codes.flatten())
    assert pack_codes(torch.tensor([1, 0, 0, 0, 0, 0, 0, 0, 1]), 1).tolist() == [1, 1]


def test_one_bit_is_two_values_and_gradients_go_straight_through():
    layer = nn.Linear(6, 4, bias=False)
    weight = layer.weight
    assert quantise(layer, 1) == 1
    assert next(layer.parameters()) is weight
    mean, std = weight.mean(), weight.std(correction=0)
    sign = torch.where(weight > mean, 0.67449, -0.67449)
    torch.testing.assert_close(layer.weight, mean + std * sign, atol=1e-5, rtol=1e-5)
    assert len(layer.weight.unique()) == 2
    factors = torch.randn(4, 6)
    (found,) = torch.autograd.grad((layer.weight * factors).sum(), weight)
    # By hand: q as if it were (w - mean) / (std + 1e-5), with mean and std in the graph.
    normal = (weight - mean) / (std + 1e-5)
    surrogate = std * (normal + (sign - normal).detach()) + mean
    (expected,) = torch.autograd.grad((surrogate * factors).sum(), weight)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_what_was_read_stays_until_it_is_trained_and_training_goes_on_from_there():
    written, read = nn.Linear(50, 40, bias=False), nn.Linear(50, 40, bias=False)
    for layer in (written, read):
        quantise(layer, 1)
    source = next(m for m in written.modules() if isinstance(m, Quantised))
    target = next(m for m in read.modules() if isinstance(m, Quantised))
    target.unpack(*source.pack())
    assert torch.equal(read.weight, written.weight)
    assert torch.equal(copy.deepcopy(read).weight, written.weight)
    assert all(map(torch.equal, target.pack(), source.pack()))
    read.weight.square().sum().backward()
    assert target.latent.grad is not None and bool(target.latent.grad.any())
    with torch.no_grad():
        target.latent[0, 0] += 1e-6
    assert not target.is_as_read()
    torch.testing.assert_close(read.weight, written.weight, atol=1e-6, rtol=1e-4)


# Any method, quantised


@pytest.mark.parametrize("name", list(METHODS))
def test_a_method_is_quantised_or_says_why_not(name, build):
    model = build("whisper")
    if METHODS[name].float_only:
        with pytest.raises(ValueError, match=f"'{name}' cannot be quantised.*can: bottleneck"):
            attach(model, name, bits=1)
        assert Adapters(model).names == []
        return
    adapters = attach(model, name, bits=1)
    small = adapters.bytes("default")
    adapters.drop("default")
    assert small < attach(model, name).bytes("default")


@pytest.mark.parametrize("kind", KINDS)
@EVERY
def test_nearly_unchanged_at_first_and_switched_off_the_frozen_model(
    case, kind, model, run, disturb
):
    before = output(run, kind, model)
    adapters = put(model, case)
    if CASES[case][0] in ("lora", "hydra", "bottleneck", "mosa", "gated_prompts"):
        assert float((output(run, kind, model) - before).abs().mean()) < 0.05
    disturb(adapters, "one")
    assert not torch.allclose(output(run, kind, model), before, atol=1e-6)
    adapters.use(None)
    assert torch.equal(output(run, kind, model), before)
    adapters.drop("one")
    assert torch.equal(output(run, kind, model), before)
    assert not any("mcgurk" in n and "." in n for n, _ in model.named_parameters())


@pytest.mark.parametrize("kind", KINDS)
@EVERY
def test_all_float_tensors_are_counted_and_get_gradients(case, kind, model, run, disturb):
    adapters = put(model, case)
    disturb(adapters, "one")
    parameters = adapters.parameters("one")
    assert adapters.count("one") == sum(p.numel() for p in parameters)
    ours = {id(p) for p in parameters}
    model.train()
    run(kind, model).square().mean().backward()
    for name, parameter in model.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        assert reached == (id(parameter) in ours), name


@pytest.mark.parametrize("kind", KINDS)
@EVERY
def test_saved_and_loaded_twice_gives_the_same_output_to_the_bit(
    case, kind, model, run, disturb, build, tmp_path
):
    adapters = put(model, case)
    disturb(adapters, "one")
    expected = output(run, kind, model)
    adapters.save(tmp_path / "first", "one")
    second = build(kind)
    Adapters(second).load(tmp_path / "first", "two")
    assert torch.equal(output(run, kind, second), expected)
    Adapters(second).save(tmp_path / "second", "two")
    files = [tmp_path / name / "adapter_model.safetensors" for name in ("first", "second")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert Adapters(second).bytes("two") == adapters.bytes("one")
    third = put(build(kind), case, "three")
    write_packed(tmp_path / "packed", Adapters(second), "two")
    assert (tmp_path / "packed").stat().st_size == adapters.bytes("one")
    read_packed(tmp_path / "packed", third, "three")
    assert torch.equal(output(run, kind, third.model), expected)


@pytest.mark.parametrize("kind", ["whisper", "ast"])
@EVERY
def test_one_quantised_and_one_float_adapter_in_rows(case, kind, model, run, disturb):
    method, options, where, _ = CASES[case]
    adapters = put(model, case, "one")
    disturb(adapters, "one", seed=1)
    alone = output(run, kind, model)
    attach(model, method, options, where, name="two")
    disturb(adapters, "two", seed=2)
    other = output(run, kind, model)
    assert not torch.allclose(alone, other, atol=1e-6)
    adapters.use("one")
    assert torch.equal(output(run, kind, model), alone)
    rows = ["two", None, "one", "two"]
    with torch.no_grad(), adapters.rows(rows):
        found = run(kind, model)
    for index, name in enumerate(rows):
        adapters.use(name)
        with torch.no_grad():
            single = run(kind, model, slice(index, index + 1))
        torch.testing.assert_close(found[index : index + 1], single, atol=1e-5, rtol=1e-4)
    adapters.use("one")
    adapters.drop("two")
    assert torch.equal(output(run, kind, model), alone)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", ["lora", "lora, 3 bits", "dora", "hydra", "paca"])
def test_merging_adds_the_quantised_change(case, kind, model, run, disturb):
    adapters = put(model, case)
    disturb(adapters, "one")
    expected = output(run, kind, model)
    adapters.merge()
    merged = output(run, kind, model)
    scale = max(1.0, float(expected.abs().max()))
    assert float((merged - expected).abs().max()) <= 1e-5 * scale
    adapters.unmerge()
    assert torch.equal(output(run, kind, model), expected)


def test_parameters_keep_their_names(build):
    for method in ("lora", "prefix", "mosa"):
        plain, quantised = attach(build("ast"), method), attach(build("ast"), method, bits=1)
        found = quantised.named_parameters("default")
        assert set(found) == set(plain.named_parameters("default"))
        assert all(isinstance(parameter, nn.Parameter) for parameter in found.values())


def test_training_after_loading_goes_on(build, run, disturb, tmp_path):
    teacher = attach(build("ast"), "bottleneck", {"rank": 4})
    disturb(teacher, "default")
    target = output(run, "ast", teacher.model)
    adapters = attach(build("ast"), "bottleneck", {"rank": 4}, bits=1)

    def train(adapters: Adapters) -> list[float]:
        optimiser = torch.optim.AdamW(adapters.parameters("default"), lr=1e-3)
        losses = []
        for _ in range(15):
            loss = (run("ast", adapters.model) - target).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        return losses

    first = train(adapters)
    adapters.save(tmp_path, "default")
    loaded = Adapters(build("ast"))
    loaded.load(tmp_path, "default")
    second = train(loaded)
    assert first[-1] < first[0] and min(second[-3:]) < second[0] < first[0]
    assert second[1] < second[0] + 0.1 * first[0]


def test_the_config_tells_that_it_is_packed_and_peft_refuses_it(build, tmp_path):
    from peft import PeftModel

    attach(build("whisper"), "lora", {"rank": 2}, bits=2).save(tmp_path, "default")
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    kept = [config[name] for name in ("peft_type", "method", "bits")]
    assert kept == ["MCGURK", "lora", 2]
    with pytest.raises(ValueError, match=r"quantised to 2 bits.*Adapters\.load"):
        PeftModel.from_pretrained(build("whisper"), str(tmp_path))


def test_a_file_for_another_model_or_with_other_codes_is_refused(build, tmp_path):
    from safetensors.torch import load_file, save_file

    adapters = attach(build("ast"), "lora", {"rank": 2}, bits=1)
    adapters.save(tmp_path, "default")
    with pytest.raises(ValueError, match="does not fit"):
        Adapters(build("bart")).load(tmp_path, "one")
    weights = tmp_path / "adapter_model.safetensors"
    tensors = load_file(weights)
    name = next(name for name in tensors if name.endswith(".codes"))
    save_file(tensors | {name: tensors[name][:-1].clone()}, weights)
    model = build("ast")
    with pytest.raises(ValueError, match="does not fit.*expected"):
        Adapters(model).load(tmp_path, "one")
    assert Adapters(model).names == []


@pytest.mark.parametrize("bits", [0, 9, True, 1.0, "1"])
def test_bits_out_of_range(bits, build):
    with pytest.raises(ValueError, match="bits is .* expected 1 to 8"):
        attach(build("ast"), "lora", bits=bits)


def test_recurrent_networks_and_what_is_quantised_are_refused():
    with pytest.raises(ValueError, match="LSTM keeps hold of its matrices"):
        quantise(nn.LSTM(4, 4))
    head = nn.Linear(4, 4)
    quantise(head)
    with pytest.raises(ValueError, match="Quantised keeps hold"):
        quantise(head)


def test_an_adapter_without_matrices_or_with_some_out_of_reach_is_refused(build, monkeypatch):
    monkeypatch.setattr(METHODS["bitfit"], "float_only", "")
    monkeypatch.setattr(METHODS["ia3"], "float_only", "")
    model = build("whisper")
    with pytest.raises(ValueError, match="'bitfit' has no matrices"):
        attach(model, "bitfit", bits=1)
    with pytest.raises(ValueError, match="PEFT keeps matrices of 'ia3'"):
        attach(model, "ia3", bits=1)
    assert Adapters(model).names == []


def test_half_precision_is_saved_and_loaded_to_the_bit(build, tmp_path):
    model, other = build("ast").bfloat16(), build("ast").bfloat16()
    attach(model, "bottleneck", {"rank": 4}, bits=1)
    model.bfloat16()
    Adapters(model).save(tmp_path, "default")
    attach(other, "bottleneck", {"rank": 4}, bits=1)
    other.bfloat16()
    write_packed(tmp_path / "packed", Adapters(model), "default")
    read_packed(tmp_path / "packed", Adapters(other), "default")
    features = torch.randn(1, 4, 32, dtype=torch.bfloat16)
    for first, second in zip(_held(model), _held(other), strict=True):
        assert torch.equal(first.after(features, features), second.after(features, features))


# Files to the byte


@pytest.mark.parametrize(
    ("rank", "head", "size"),
    [
        (32, None, 73_920),
        (32, "quantised", 83_720),
        (1, "quantised", 12_296),
        (32, "float", 387_672),
    ],
)
def test_files_have_the_published_size(rank, head, size, tmp_path):
    def build_both() -> tuple[Adapters, nn.Module | None]:
        from transformers import ViTConfig, ViTModel

        # As wide and deep as ViT-B; what is frozen is small.
        config = ViTConfig(intermediate_size=8, image_size=32)
        adapters = attach(
            ViTModel(config), "bottleneck", {"rank": rank, **ADAPTFORMER}, ("mlp",), bits=1
        )
        layer = nn.Linear(768, 102, bias=head == "float") if head else None
        if layer is not None and head == "quantised":
            quantise(layer, 1)
        return adapters, layer

    (written, layer), (read, other) = build_both(), build_both()
    assert written.count("default") == 12 * 2 * 768 * rank
    file = tmp_path / "adapter.bin"
    write_packed(file, written, "default", layer)
    assert file.stat().st_size == size
    assert written.bytes("default") == 12 * 2 * (768 * rank // 8 + 8)
    read_packed(file, read, "default", other)
    features = torch.randn(2, 3, 768)
    adapters = [written, read]
    for first, second in zip(*(_held(a.model) for a in adapters), strict=True):
        assert torch.equal(first.after(features, features), second.after(features, features))
    if layer is not None and other is not None:
        assert torch.equal(layer(features), other(features))
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=f"{size + 1:,} bytes.*take {size:,}"):
        read_packed(file, read, "default", other)


def _held(model) -> list:
    bottleneck = METHODS["bottleneck"]
    return [module for module in model.modules() if isinstance(module, bottleneck)]


def test_packed_files_hold_any_adapter_in_all_its_parts(build, run, disturb, tmp_path):
    def build_both() -> Adapters:
        model = build("whisper")
        attach(model, "paca", {"rank": 2}, name="a")  # float, with an index
        return attach(model, "bottleneck", {"rank": 3}, name="a", bits=3)

    written, read = build_both(), build_both()
    disturb(written, "a")
    write_packed(tmp_path / "a", written, "a")
    assert (tmp_path / "a").stat().st_size == written.bytes("a")
    read_packed(tmp_path / "a", read, "a")
    expected, found = (output(run, "whisper", a.model) for a in (written, read))
    assert torch.equal(expected, found)
