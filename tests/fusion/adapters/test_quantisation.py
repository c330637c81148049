"""Adapters of a few bits an entry: codes, gradients, files, and any method quantised."""

import copy
import json

import pytest
import torch
from torch import nn

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
from fusion.procedures.packed import read_packed, write_packed

KINDS = ("whisper", "ast", "clip", "bart")
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
    case, kind, model, disturb, output
):
    before = output(kind, model)
    adapters = put(model, case)
    if CASES[case][0] in ("lora", "hydra", "bottleneck", "mosa", "gated_prompts"):
        assert float((output(kind, model) - before).abs().mean()) < 0.05
    disturb(adapters, "one")
    assert not torch.allclose(output(kind, model), before, atol=1e-6)
    adapters.use(None)
    assert torch.equal(output(kind, model), before)
    adapters.drop("one")
    assert torch.equal(output(kind, model), before)
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
    case, kind, model, disturb, build, tmp_path, output
):
    adapters = put(model, case)
    disturb(adapters, "one")
    expected = output(kind, model)
    adapters.save(tmp_path / "first", "one")
    second = build(kind)
    Adapters(second).load(tmp_path / "first", "two")
    assert torch.equal(output(kind, second), expected)
    Adapters(second).save(tmp_path / "second", "two")
    files = [tmp_path / name / "adapter_model.safetensors" for name in ("first", "second")]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert Adapters(second).bytes("two") == adapters.bytes("one")
    third = put(build(kind), case, "three")
    write_packed(tmp_path / "packed", Adapters(second), "two")
    assert (tmp_path / "packed").stat().st_size == adapters.bytes("one")
    read_packed(tmp_path / "packed", third, "three")
    assert torch.equal(output(kind, third.model), expected)


@pytest.mark.parametrize("kind", ["whisper", "ast"])
@EVERY
def test_one_quantised_and_one_float_adapter_in_rows(case, kind, model, run, disturb, output):
    method, options, where, _ = CASES[case]
    adapters = put(model, case, "one")
    disturb(adapters, "one", seed=1)
    alone = output(kind, model)
    attach(model, method, options, where, name="two")
    disturb(adapters, "two", seed=2)
    other = output(kind, model)
    assert not torch.allclose(alone, other, atol=1e-6)
    adapters.use("one")
    assert torch.equal(output(kind, model), alone)
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
    assert torch.equal(output(kind, model), alone)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", ["lora", "lora, 3 bits", "dora", "hydra", "paca"])
def test_merging_adds_the_quantised_change(case, kind, model, disturb, output):
    adapters = put(model, case)
    disturb(adapters, "one")
    expected = output(kind, model)
    adapters.merge()
    merged = output(kind, model)
    scale = max(1.0, float(expected.abs().max()))
    assert float((merged - expected).abs().max()) <= 1e-5 * scale
    adapters.unmerge()
    assert torch.equal(output(kind, model), expected)


def test_parameters_keep_their_names(build):
    for method in ("lora", "prefix", "mosa"):
        plain, quantised = attach(build("ast"), method), attach(build("ast"), method, bits=1)
        found = quantised.named_parameters("default")
        assert set(found) == set(plain.named_parameters("default"))
        assert all(isinstance(parameter, nn.Parameter) for parameter in found.values())


def test_training_after_loading_goes_on(build, run, disturb, tmp_path, output):
    teacher = attach(build("ast"), "bottleneck", {"rank": 4})
    disturb(teacher, "default")
    target = output("ast", teacher.model)
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


# What is refused


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
