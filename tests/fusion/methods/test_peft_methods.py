"""Methods that PEFT has: the same functions, the same files, and what ours add to them."""

from dataclasses import replace

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel, ShiraConfig, get_peft_model
from torch import nn
from torch.nn import functional

from fusion.adapters.interface import Adapters, attach
from fusion.adapters.tuner import MethodConfig
from fusion.contract.blocks import Block, attention, mlp
from fusion.contract.sites import find_sites
from fusion.methods.corda import collect_covariances, invert
from fusion.methods.ia3 import Ia3
from fusion.procedures.corda_to_lora import to_lora

WHERE = {"lora": ("q", "v"), "ia3": ("k", "v", "fc2"), "shira": ("q", "v")}
OPTIONS = {"lora": {"rank": 2, "alpha": 6.0}, "ia3": {}, "shira": {"rank": 2}}


def linear(dim_in: int = 6, dim_out: int = 4) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(dim_in, dim_out)).requires_grad_(False)


def calibrate_linear(model):
    generator = torch.Generator().manual_seed(3)
    for _ in range(2):
        yield model(torch.randn(3, 5, 6, generator=generator)).square().sum()


# What PEFT makes of the same parameters, and files in both directions


def peft_config(method: str, names: list[str]):
    if method == "lora":
        return LoraConfig(r=2, lora_alpha=6, target_modules=names)
    if method == "ia3":
        ends = [name for name in names if name.endswith("fc2")]
        return IA3Config(target_modules=names, feedforward_modules=ends)
    return ShiraConfig(r=2, target_modules=names, random_seed=5)


@pytest.fixture(params=list(WHERE))
def method(request) -> str:
    return request.param


@pytest.fixture
def by_peft(method, build, disturb):
    """Adapts a new tiny model by PEFT alone, with parameters off their start."""

    def build_one(kind: str) -> PeftModel:
        model = build(kind)
        names = [site.name for site in find_sites(model, WHERE[method])]
        wrapped = get_peft_model(model, peft_config(method, names))
        generator = torch.Generator().manual_seed(7)
        with torch.no_grad():
            for parameter in wrapped.parameters():
                if parameter.requires_grad:
                    parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
        return wrapped.eval()

    return build_one


def parameters_of_peft(wrapped: PeftModel) -> dict[str, nn.Parameter]:
    return {
        name.removeprefix("base_model.model.").replace(".default", ""): parameter
        for name, parameter in wrapped.named_parameters()
        if parameter.requires_grad
    }


def test_with_the_same_parameters_the_output_is_that_of_peft(method, by_peft, kind, build, run):
    wrapped = by_peft(kind)
    model = build(kind)
    adapters = attach(model, method, OPTIONS[method], WHERE[method])
    theirs = parameters_of_peft(wrapped)
    ours = {n.replace(".default", ""): p for n, p in adapters.named_parameters("default").items()}
    assert set(ours) == set(theirs)
    with torch.no_grad():
        for name, parameter in ours.items():
            parameter.copy_(theirs[name])
        if method == "shira":
            for name in adapters.parts("default")[0].sites:
                indices = wrapped.base_model.model.get_submodule(name).shira_indices["default"]
                model.get_submodule(name).shira_indices["default"] = indices  # type: ignore[index]
        torch.testing.assert_close(
            run(kind, model), run(kind, wrapped.base_model.model), atol=1e-6, rtol=1e-6
        )


def test_peft_reads_our_files(method, kind, build, run, disturb, tmp_path):
    model = build(kind)
    adapters = attach(model, method, OPTIONS[method], WHERE[method], name="one")
    disturb(adapters, "one")
    adapters.save(tmp_path, "one")
    wrapped = PeftModel.from_pretrained(build(kind), str(tmp_path)).eval()
    with torch.no_grad():
        assert torch.equal(run(kind, wrapped.base_model.model), run(kind, model))


def test_we_read_the_files_of_peft(method, by_peft, kind, build, run, tmp_path):
    wrapped = by_peft(kind)
    wrapped.save_pretrained(str(tmp_path / "theirs"))
    model = build(kind)
    adapters = Adapters(model)
    adapters.load(tmp_path / "theirs", "one")
    with torch.no_grad():
        expected = run(kind, wrapped.base_model.model)
        assert torch.equal(run(kind, model), expected)
        adapters.save(tmp_path / "ours", "one")
        again = PeftModel.from_pretrained(build(kind), str(tmp_path / "ours")).eval()
        assert torch.equal(run(kind, again.base_model.model), expected)


def test_a_method_of_ours_goes_through_peft(kind, build, run, tmp_path):
    config = MethodConfig(method="hydra", options={"rank": 3}, where=["fc2"])
    wrapped = get_peft_model(build(kind), config)
    trained = [p for p in wrapped.parameters() if p.requires_grad]
    for parameter in trained:
        nn.init.normal_(parameter, std=0.1)
    wrapped.eval().save_pretrained(str(tmp_path))
    again = PeftModel.from_pretrained(build(kind), str(tmp_path)).eval()
    ours = build(kind)
    Adapters(ours).load(tmp_path, "one")
    with torch.no_grad():
        expected = run(kind, wrapped.base_model.model)
        assert not torch.allclose(expected, run(kind, build(kind)), atol=1e-4)
        assert torch.equal(run(kind, again.base_model.model), expected)
        assert torch.equal(run(kind, ours), expected)


# IA3


def test_ia3_rescales_outputs_and_in_fc2_inputs(build, disturb):
    model = build("whisper")
    names = ["encoder.layers.0.self_attn.v_proj", "encoder.layers.0.fc2"]
    hosts = [model.get_submodule(name) for name in names]
    disturb(attach(model, "ia3", where=names), "default")
    value, last = (model.get_submodule(name) for name in names)
    factors = [layer.ia3_l["default"].flatten() for layer in (value, last)]
    narrow, wide = torch.randn(2, 3, 32), torch.randn(2, 3, 48)
    torch.testing.assert_close(value(narrow), factors[0] * hosts[0](narrow))
    torch.testing.assert_close(last(wide), hosts[1](factors[1] * wide))


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("encoder.layers.3.fc2", True),
        ("encoder.layer.3.output.dense", True),
        ("encoder.layer.3.attention.output.dense", False),
        ("layers.3.mlp.down_proj", True),
        ("decoder.block.3.layer.2.DenseReluDense.wo", True),
        ("encoder.layers.3.fc1", False),
    ],
)
def test_ia3_knows_the_last_layers_by_name(name, reads):
    site = find_sites(linear(6, 4), ["0"])[0]
    assert Ia3.count(replace(site, name=name), Ia3.Options()) == (6 if reads else 4)


def test_ia3_tells_where_it_would_rescale_the_wrong_side(build):
    class SasRecBlock(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.ModuleDict({n: nn.Linear(8, 8) for n in "abcd"})
            self.norm1, self.norm2 = nn.LayerNorm(8), nn.LayerNorm(8)
            self.widen, self.narrow = nn.Linear(8, 16), nn.Linear(16, 8)

    block = Block((attention("attention", "norm1", "a b c d"), mlp("widen", "narrow", "norm2")))
    blocks = {"SasRecBlock": (block,)}
    with pytest.raises(ValueError, match="narrow is the last layer .* Give option 'feedforward'"):
        attach(nn.Sequential(SasRecBlock()), "ia3", blocks=blocks)
    options = {"feedforward": r".*\.narrow"}
    adapters = attach(nn.Sequential(SasRecBlock()), "ia3", options, blocks=blocks)
    assert adapters.count("default") == 8 + 8 + 16
    whisper = build("whisper")
    attach(whisper, "ia3", name="one")
    with pytest.raises(ValueError, match="rescales its input; expected its output"):
        attach(whisper, "ia3", {"feedforward": ""}, name="two")
    assert Adapters(whisper).names == ["one"]


# SHiRA


def entries_of(model: nn.Module, name: str = "0", key: str = "default") -> torch.Tensor:
    """Return where a layer is trained, [out, in]."""
    layer = model.get_submodule(name)
    mask = torch.zeros(layer.weight.shape)
    mask[tuple(layer.shira_indices[key].long())] = 1
    return mask.bool()


def best(scores: torch.Tensor, count: int) -> torch.Tensor:
    return scores >= scores.flatten().sort(descending=True).values[count - 1]


def test_masks_that_look_at_the_weight_or_at_data_take_the_best_entries():
    model = linear()
    weight = model[0].weight.clone()
    probe = linear().requires_grad_(True)
    for loss in calibrate_linear(probe):
        loss.backward()
    gradient = probe[0].weight.grad
    scores = {"magnitude": weight, "gradient": gradient, "snip": weight * gradient}
    for mask, score in scores.items():
        options = {"rank": 1, "mask": mask}
        attach(model, "shira", options, ["0"], name=mask, calibrate=calibrate_linear)
        assert torch.equal(entries_of(model, key=mask), best(score.abs(), 10))
    assert not any(p.requires_grad for n, p in model.named_parameters() if "shira" not in n)


@pytest.mark.parametrize("shape", [(30, 40), (40, 30), (32, 32)])
def test_struct_mask_is_the_diagonal_and_evenly_spaced_lines(shape):
    model = linear(shape[1], shape[0])
    attach(model, "shira", {"rank": 3, "mask": "struct"}, ["0"])
    mask = entries_of(model)
    assert mask.sum() == 3 * sum(shape)
    assert bool(mask.diagonal().all())
    lines = mask if shape[0] <= shape[1] else mask.T
    whole = lines.all(1).nonzero().flatten()
    partial = (lines.sum(1) > 1).sum() - len(whole)
    assert len(whole) >= 4 and partial <= 1
    assert torch.linalg.matrix_rank(mask.float()) > 3 + len(whole)


def test_random_masks_differ_between_layers_and_repeat_with_the_seed():
    def masks(seed: int) -> list[torch.Tensor]:
        model = nn.Sequential(nn.Linear(20, 20), nn.Linear(20, 20))
        attach(model, "shira", {"rank": 2, "seed": seed}, ["0", "1"])
        return [entries_of(model, name) for name in ("0", "1")]

    first, again, other = masks(1), masks(1), masks(2)
    assert all(mask.sum() == 2 * 40 for mask in first)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], first[1]) and not torch.equal(first[0], other[0])


def test_merging_a_sparse_change_writes_to_its_entries_alone(disturb):
    model = linear()
    before = model[0].weight.clone()
    adapters = attach(model, "shira", {"rank": 1}, ["0"])
    disturb(adapters, "default")
    values = adapters.parameters("default")[0].detach()
    mask = entries_of(model)
    adapters.merge()
    after = model.get_submodule("0").weight
    assert torch.equal(after[~mask], before[~mask])
    torch.testing.assert_close(after[mask], before[mask] + values)
    assert adapters.selection.originals[0].weight.shape == (10,)


def test_data_are_looked_at_without_the_adapters_that_are_on(disturb):
    plain, adapted = linear(), linear()
    disturb(attach(adapted, "hydra", where=["0"], name="other"), "other")
    for model in (plain, adapted):
        options = {"rank": 1, "mask": "gradient"}
        attach(model, "shira", options, ["0"], name="one", calibrate=calibrate_linear)
    assert torch.equal(entries_of(plain, key="one"), entries_of(adapted, key="one"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": "dense"}, "'dense'; known: random, struct, magnitude"),
        ({"rank": 3}, "so 30 entries; 0 has 24. Take from 1 to 2"),
        ({"rank": 0}, "is 0; expected 1 or more"),
        ({"rank": 1, "mask": "snip"}, "'snip' of 'shira' needs data; give `calibrate`"),
    ],
)
def test_shira_tells_what_it_cannot_do(options, message):
    with pytest.raises(ValueError, match=message):
        attach(linear(), "shira", options, ["0"])


def test_shira_tells_that_it_wants_the_bare_layer_and_batches():
    model = linear()
    attach(model, "lora", {"rank": 1}, ["0"], name="low")
    with pytest.raises(ValueError, match="Attach 'shira' before the other method"):
        attach(model, "shira", {"rank": 1}, ["0"], name="high")
    options = {"rank": 1, "mask": "gradient"}
    with pytest.raises(ValueError, match="yielded no loss that comes from 0"):
        attach(linear(), "shira", options, ["0"], calibrate=lambda model: [])


# Several methods at one layer


@pytest.mark.parametrize(
    "methods",
    [("shira", "hydra"), ("shira", "lora"), ("hydra", "ia3"), ("ia3", "lora"), ("lora", "ia3")],
)
def test_two_methods_at_one_layer_merge_to_what_they_compute(methods, disturb):
    model = linear(6, 6)
    for method in methods:
        options = {} if method == "ia3" else {"rank": 1}
        disturb(attach(model, method, options, ["0"], name="both"), "both")
    adapters = Adapters(model)
    inputs = torch.randn(2, 3, 6)
    expected = model(inputs)
    alone = []
    for key in ("both", "both+1"):
        adapters.selection.active[:] = [key]
        alone.append(model(inputs))
    assert not any(torch.allclose(expected, one, atol=1e-4) for one in alone)
    adapters.use("both")
    adapters.merge()
    torch.testing.assert_close(model(inputs), expected)


def test_two_ia3_at_once_multiply_and_merge_so(disturb):
    model = linear()
    for name in ("one", "two"):
        disturb(attach(model, "ia3", where=["0"], name=name), name, seed=len(name) + ord(name[0]))
    adapters = Adapters(model)
    adapters.use(["one", "two"])
    inputs = torch.randn(2, 3, 6)
    expected = model(inputs)
    layer = model.get_submodule("0")
    factors = layer.ia3_l["one"] * layer.ia3_l["two"]
    torch.testing.assert_close(expected, factors[:, 0] * layer.base_layer(inputs))
    adapters.merge()
    torch.testing.assert_close(model(inputs), expected)


# CorDA


def started(model: nn.Module, options: dict, calibrate=calibrate_linear) -> Adapters:
    return attach(model, "corda", options, ["0"], calibrate=calibrate)


def inputs_of(model: nn.Module) -> torch.Tensor:
    read = []
    hook = model[0].register_forward_pre_hook(lambda module, args: read.append(args[0]))
    list(calibrate_linear(model))
    hook.remove()
    return torch.cat(read)  # [samples, tokens, in]


@pytest.mark.parametrize("mode", ["ipm", "kpm"])
def test_corda_starts_from_components_weighed_by_the_covariance(mode):
    model = linear()
    weight = model[0].weight.double()
    samples = inputs_of(model).double()
    adapters = started(model, {"rank": 2, "alpha": 6.0, "mode": mode})
    parameters = adapters.named_parameters("default")
    down, up = (next(p for n, p in parameters.items() if n.endswith(e)) for e in ("down", "up"))
    covariance = torch.zeros(6, 6, dtype=torch.float64)
    for sample in samples:
        scaled = sample / sample.abs().max()
        covariance += scaled.T @ scaled / len(samples)
    covariance += 0.01 * covariance.diagonal().mean() * torch.eye(6)
    left, values, right = torch.linalg.svd(weight @ covariance, full_matrices=False)
    chosen = slice(0, 2) if mode == "ipm" else slice(2, 4)
    part = left[:, chosen] * values[chosen] @ right[chosen] @ covariance.inverse()
    torch.testing.assert_close(3 * up.double() @ down.double(), part, atol=1e-5, rtol=1e-4)
    # Both have the same share of the singular values.
    torch.testing.assert_close(3 * up.double().square().sum(0), values[chosen], rtol=1e-4, atol=0)


@pytest.mark.parametrize("mode", ["ipm", "kpm"])
def test_corda_starts_where_peft_s_does_and_computes_the_same(mode):
    from peft.tuners.lora.config import CordaConfig
    from peft.tuners.lora.corda import preprocess_corda

    samples = torch.randn(5, 1, 7, 6)  # PEFT takes batches of one
    samples[:, 0, 0, 0] = 4  # it divides by the largest value, we by the largest magnitude

    def calibrate(model):
        return map(model, samples)

    theirs = linear()
    config = LoraConfig(
        r=2,
        lora_alpha=6,
        target_modules=["0"],
        init_lora_weights="corda",
        corda_config=CordaConfig(corda_method=mode),  # type: ignore[arg-type]
    )
    preprocess_corda(theirs, config, run_model=lambda: list(calibrate(theirs)))
    wrapped = get_peft_model(theirs, config)  # type: ignore[arg-type]
    model = linear()
    adapters = started(model, {"rank": 2, "alpha": 6.0, "mode": mode}, calibrate)
    layer = wrapped.base_model.model[0]  # type: ignore[index,union-attr]
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    mine = {name.rpartition(".")[2]: p for name, p in adapters.named_parameters("default").items()}
    torch.testing.assert_close(mine["up"] @ mine["down"], up @ down, atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        for ours, other in ((mine["down"], down), (mine["up"], up)):
            other.copy_(ours.add_(0.1))
    inputs = torch.randn(3, 4, 6)
    torch.testing.assert_close(model(inputs), wrapped(inputs), atol=1e-5, rtol=1e-4)


def test_corda_becomes_a_lora_adapter_that_peft_reads(disturb, tmp_path):
    model = linear()
    disturb(started(model, {"rank": 2, "alpha": 6.0}), "default")
    inputs = torch.randn(3, 4, 6)
    expected = model(inputs)
    adapters = to_lora(model, "default", "lora")
    assert adapters.active == ["lora"]
    torch.testing.assert_close(model(inputs), expected, atol=1e-5, rtol=1e-5)
    adapters.save(tmp_path, "lora")
    again = PeftModel.from_pretrained(linear(), str(tmp_path))
    torch.testing.assert_close(again(inputs), expected, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="'lora' is no CorDA adapter"):
        to_lora(model, "lora", "other")


def test_corda_trains_the_function_of_the_paper_and_leaves_the_weight(disturb):
    model = linear()
    before = model[0].weight.clone()
    adapters = started(model, {"rank": 2, "alpha": 6.0})
    adapter = model[0].mcgurk_site.mcgurk_adapters["default"]
    residual = before - 3 * adapter.up_start @ adapter.down_start
    disturb(adapters, "default")
    inputs = torch.randn(2, 3, 6)
    expected = functional.linear(inputs, residual + 3 * adapter.up @ adapter.down, model[0].bias)
    torch.testing.assert_close(model(inputs), expected)
    assert torch.equal(model[0].weight, before)


def test_covariances_do_not_depend_on_how_samples_are_batched():
    model = linear()
    samples = torch.randn(4, 5, 6)

    def covariance(size: int) -> torch.Tensor:
        def calibrate(model):
            for batch in samples.split(size):
                yield model(batch).sum()

        return collect_covariances(model, {"0": model[0]}, calibrate)["0"]

    torch.testing.assert_close(covariance(1), covariance(4))
    torch.testing.assert_close(covariance(3), covariance(4))


def test_a_singular_covariance_is_damped_until_it_has_an_inverse():
    direction = torch.randn(64, 1)
    damped, inverse = invert(direction @ direction.T)
    assert torch.dist(damped @ inverse, torch.eye(64)) < 0.05


def test_corda_tells_that_it_has_no_data_or_a_rank_too_high():
    model = linear()
    adapters = attach(model, "corda", {"rank": 2}, ["0"])
    for act in (lambda: model(torch.randn(1, 2, 6)), adapters.merge):
        with pytest.raises(ValueError, match="CorDA at 0 has not seen data.*calibrate"):
            act()
    for batches in ([], [torch.zeros(1, 2, 6)], [torch.full((1, 2, 6), float("nan"))]):
        with pytest.raises(ValueError, match="`calibrate` ran 0 on"):
            started(linear(), {"rank": 2}, lambda model, batches=batches: map(model, batches))
    with pytest.raises(ValueError, match="0 has 4 components"):
        attach(linear(), "corda", {"rank": 5}, ["0"])
    with pytest.raises(ValueError, match="'both'; known: ipm, kpm"):
        attach(linear(), "corda", {"mode": "both"}, ["0"])


def test_an_adapter_at_more_places_than_peft_writes_down_comes_back(tmp_path):
    """From 20 modules on PEFT's file holds the ends of their names alone."""
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(
        d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, vocab_size=60,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
    )  # fmt: skip
    models = [WhisperForConditionalGeneration(config) for _ in range(2)]
    adapters = attach(models[0], "lora", {"rank": 2}, ("q", "k", "v", "o"), name="a")
    assert len(adapters.parts("a")[0].sites) == 24
    for parameter in adapters.parameters("a"):
        torch.nn.init.normal_(parameter)
    adapters.save(tmp_path, "a")
    again = Adapters(models[1])
    again.load(tmp_path, "a")
    saved, loaded = (a.named_parameters("a") for a in (adapters, again))
    assert saved.keys() == loaded.keys()
    assert all(torch.equal(saved[name], loaded[name]) for name in saved)
