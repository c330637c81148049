"""What holds for every adapter method, over the whole table, on every family."""

import pytest
import torch

from fusion.adapters.interface import Adapters, attach
from fusion.methods.catalog import METHODS

# Options for the tiny models where the defaults do not suit them.
SMALL: dict[str, dict] = {
    "lora": {"rank": 2},
    "bottleneck": {"rank": 4},
    "mosa": {"rank": 4, "experts": 2},
    "convpass": {"rank": 4, "dropout": 0.0},
    "conformer": {"rank": 4, "kernel": 4},
    "vlsm": {"rank": 16},
    "soft_moa": {"rank": 2, "experts": 3, "slots": 2},
    "dense_moa": {"rank": 2, "experts": 3},
    "compacter": {"rank": 4},
    "hyperformer": {"rank": 4, "tasks": 2, "embedding": 16, "hidden": 16},
}
# Further forms of a method that the contract has to hold for.
FORMS: dict[str, tuple[str, dict, tuple[str, ...] | None]] = {
    "dora": ("lora", {"rank": 2, "magnitudes": True}, None),
    "rslora": ("lora", {"rank": 2, "rank_stabilised": True}, ("q", "fc1")),
    "parallel bottleneck": ("bottleneck", {"rank": 4, "mode": "parallel"}, None),
    "adaptformer": (
        "bottleneck",
        {"rank": 4, "mode": "parallel", "input": "norm", "norm": True, "scale": 0.1},
        ("mlp",),
    ),
    "parallel linear": (
        *("bottleneck", {"rank": 4, "mode": "parallel", "bias": False}),
        ("v", "fc1", "fc2"),
    ),
    "shira struct": ("shira", {"mask": "struct", "rank": 2}, None),
    "shira magnitude": ("shira", {"mask": "magnitude", "rank": 2}, None),
    "shira gradient": ("shira", {"mask": "gradient", "rank": 2}, None),
    "shira snip": ("shira", {"mask": "snip", "rank": 2}, None),
    "corda kpm": ("corda", {"mode": "kpm", "rank": 4}, None),
    "bias-scale of outputs": ("bias_scale", {"form": "output"}, None),
    "mosa, both": ("mosa", {"rank": 4, "experts": 2, "split": "both"}, None),
    "mosa, norm": ("mosa", {"rank": 4, "input": "norm", "norm": True}, ("attention", "mlp")),
    "mosa, linear": ("mosa", {"rank": 4, "bias": False}, ("fc1", "q")),
    "sequential convpass": ("convpass", {"rank": 4, "mode": "sequential"}, None),
    "sequential conformer": (
        *("conformer", {"rank": 4, "mode": "sequential"}),
        ("attention", "mlp"),
    ),
    "soft_moa, before the norm": (
        "soft_moa",
        {"experts": 2, "site": "both", "order": "before"},
        None,
    ),
    "soft_moa, behind": ("soft_moa", {"experts": 2, "site": "mlp", "mode": "sequential"}, None),
    "dense_moa, between": (
        *("dense_moa", {"experts": 2, "mode": "sequential", "order": "before"}),
        None,
    ),
    "compacter of VL-Adapter": (
        "compacter",
        {"rank": 4, "terms": 2, "shared": False, "factor_rank": 0, "activation": "gelu_tanh"},
        None,
    ),
    "compacter, factored, not shared": (
        *("compacter", {"rank": 4, "shared": False, "factor_rank": 2}),
        ("mlp",),
    ),
    "hydra with biases": ("hydra", {"bias": True}, ("o", "fc2")),
}
CASES = {name: (name, SMALL.get(name, {}), None) for name in METHODS} | FORMS


@pytest.fixture(params=list(CASES))
def case(request) -> tuple[str, dict, tuple[str, ...] | None]:
    return CASES[request.param]


@pytest.fixture
def put(kind, case, run):
    """Attaches the method of the case; skips where the family has no place for it."""
    method, options, where = case

    def calibrate(model):
        yield run(kind, model).square().mean()

    def attach_to(model, name: str = "one") -> Adapters:
        try:
            return attach(model, method, options, where, name=name, calibrate=calibrate)
        except ValueError as error:
            no_place = str(error).startswith("No '") and "in this" in str(error)
            if no_place or "fits none" in str(error):
                pytest.skip(str(error))
            raise

    return attach_to


def test_fresh_adapter_changes_nothing(put, case, kind, model, output):
    before = output(kind, model)
    put(model)
    after = output(kind, model)
    if METHODS[case[0]].changed_at_start:
        assert not torch.allclose(after, before, atol=1e-6)
    else:
        torch.testing.assert_close(after, before, atol=2e-6, rtol=1e-5)


def test_switched_off_it_is_the_frozen_model_to_the_bit(put, kind, model, disturb, output):
    before, modules = output(kind, model), [name for name, _ in model.named_modules()]
    adapters = put(model)
    disturb(adapters, "one")
    assert not torch.allclose(output(kind, model), before, atol=1e-6)
    adapters.use(None)
    assert torch.equal(output(kind, model), before)
    adapters.drop("one")
    assert torch.equal(output(kind, model), before)
    assert [name for name, _ in model.named_modules()] == modules


def test_count_is_what_is_trained(put, model):
    adapters = put(model)
    parameters = adapters.parameters("one")
    assert adapters.count("one") == sum(p.numel() for p in parameters) > 0
    trained = [p for p in model.parameters() if p.requires_grad]
    assert {id(p) for p in trained} == {id(p) for p in parameters}


def test_gradients_reach_the_adapter_and_nothing_else(put, kind, model, run, disturb):
    adapters = put(model)
    disturb(adapters, "one")
    ours = {id(p) for p in adapters.parameters("one")}
    model.train()
    run(kind, model).square().mean().backward()
    for name, parameter in model.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        assert reached == (id(parameter) in ours), name


def test_merged_equals_unmerged_and_unmerging_is_exact(put, case, kind, model, disturb, output):
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}
    adapters = put(model)
    disturb(adapters, "one")
    expected = output(kind, model)
    if not METHODS[case[0]].merges:
        with pytest.raises(ValueError, match="cannot be merged"):
            adapters.merge()
        return
    adapters.merge()
    merged = output(kind, model)
    scale = max(1.0, float(expected.abs().max()))
    assert float((merged - expected).abs().max()) <= 1e-5 * scale
    adapters.unmerge()
    assert torch.equal(output(kind, model), expected)
    found = {name.replace(".base_layer", ""): p for name, p in model.named_parameters()}
    assert all(torch.equal(weight, found[name]) for name, weight in weights.items())


def test_saved_and_loaded_gives_the_same_output_to_the_bit(
    put, kind, model, disturb, build, tmp_path, output
):
    adapters = put(model)
    disturb(adapters, "one")
    expected = output(kind, model)
    adapters.save(tmp_path, "one")
    other = build(kind)
    Adapters(other).load(tmp_path, "two")
    assert Adapters(other).active == ["two"]
    assert torch.equal(output(kind, other), expected)
    assert Adapters(other).count("two") == adapters.count("one")


def test_two_adapters_do_not_leak_into_each_other(put, kind, model, disturb, output):
    adapters = put(model, "one")
    disturb(adapters, "one", seed=1)
    first = output(kind, model)
    put(model, "two")
    disturb(adapters, "two", seed=2)
    second = output(kind, model)
    assert not torch.allclose(first, second, atol=1e-6)
    adapters.use("one")
    assert torch.equal(output(kind, model), first)
    adapters.drop("two")
    assert torch.equal(output(kind, model), first)


def test_rows_equal_one_by_one(put, case, kind, model, run, disturb):
    adapters = put(model, "one")
    put(model, "two")
    disturb(adapters, "one", seed=1)
    disturb(adapters, "two", seed=2)
    rows = ["two", None, "one", "two"]
    if not METHODS[case[0]].per_sample:
        with pytest.raises(ValueError, match="cannot differ"), adapters.rows(rows):
            pass
        return
    with torch.no_grad(), adapters.rows(rows):
        found = run(kind, model)
    for index, name in enumerate(rows):
        adapters.use(name)
        with torch.no_grad():
            alone = run(kind, model, slice(index, index + 1))
        torch.testing.assert_close(found[index : index + 1], alone, atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="rows"), torch.no_grad(), adapters.rows(["one"] * 3):
        run(kind, model)


@pytest.mark.parametrize("kind", ["whisper", "clip"])
def test_models_in_half_precision_have_adapters_in_float32(
    put, case, kind, run, build, disturb, tmp_path, output
):
    method, model = METHODS[case[0]], build(kind)
    adapters = put(model)
    disturb(adapters, "one")
    expected = output(kind, model)
    adapters.save(tmp_path, "one")
    model = build(kind).bfloat16()
    adapters = Adapters(model)
    adapters.load(tmp_path, "one")
    assert {parameter.dtype for parameter in adapters.parameters("one")} == {torch.float32}
    close = 0.02 * float(expected.std())

    def check(found):
        assert found.dtype == torch.bfloat16
        assert float((found.detach().float() - expected).abs().mean()) < close

    found = run(kind, model)
    check(found)
    found.float().square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in adapters.parameters("one"))
    if method.per_sample:
        with torch.no_grad(), adapters.rows(["one"] * 4):
            check(run(kind, model))
    if method.merges:
        adapters.merge()
        check(output(kind, model))
