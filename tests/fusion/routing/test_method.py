"""What holds for every bank, over forms, routers, rules and granularities, as for any adapter."""

import copy

import pytest
import torch

from fusion.adapters.interface import Adapters, attach
from fusion.contract.context import Context
from fusion.methods.catalog import METHODS, find_method
from fusion.routing.bank import attach_bank
from fusion.routing.catalog import FORMS, GRANULARITIES, ROUTERS, RULES

MIXED = {"form": "mixed_lora", "router": "tasks", "tasks": 3, "granularity": "sample", "rank": 2}
CASES: dict[str, tuple[dict, tuple[str, ...] | None]] = {
    "lora": ({"rank": 2}, None),
    "two of four": ({"rank": 2, "k": 2}, ("q", "fc1", "fc2")),
    "rsLoRA, samples": (
        {"rank": 2, "rank_stabilised": True, "granularity": "sample", "bias": True},
        ("v", "fc1"),
    ),
    "one router a block": ({"rank": 2, "granularity": "block"}, None),
    "one router": ({"rank": 2, "granularity": "model", "rule": "top_k_softmax"}, None),
    "tokens in a block": ({"rank": 2, "granularity": "token_in_block", "k": 1}, None),
    "constant": ({"rank": 2, "rule": "constant_subset"}, None),
    "tasks": ({"rank": 2, "router": "tasks", "tasks": 3, "granularity": "model"}, None),
    "poly": ({**MIXED, "rule": "relaxed_bernoulli"}, None),
    "mhr": ({**MIXED, "rule": "relaxed_bernoulli", "heads": 4}, ("q", "fc1")),
    "pyramid": (
        {
            "form": "pyramid",
            "scales": (2, 3, 4, 6),
            "router": "task_embedding",
            "embedded_tasks": 3,
        },
        ("q", "fc1"),
    ),
    "shared pyramid": ({"form": "pyramid", "scales": (2, 2, 4, 8), "base": "model"}, ("v", "fc2")),
    "bottleneck": ({"form": "bottleneck", "rank": 2}, None),
    "bottleneck behind the norm": (
        {"form": "bottleneck", "rank": 2, "input": "norm", "granularity": "sample"},
        ("attention", "mlp"),
    ),
    "given": (
        {"form": "bottleneck", "rank": 2, "router": "given", "rule": "one_hot"}
        | {"granularity": "sample"},
        None,
    ),
}
WEIGHTS = torch.eye(4)
KNOWN = Context(values={"tasks": torch.tensor([0, 1, 2, 1])})


@pytest.fixture(params=list(CASES))
def case(request) -> tuple[dict, tuple[str, ...] | None]:
    return CASES[request.param]


@pytest.fixture
def context(case) -> Context:
    """The tasks of the rows and, for routers that know nothing, weights."""
    if case[0].get("router") == "given":
        return Context(values={"weights": WEIGHTS})
    return KNOWN


@pytest.fixture
def see(kind, model, output, context):
    """Runs a model with what is known of its rows; another model, if given."""

    def run(other=None):
        found = model if other is None else other
        with Adapters(found).context(context):
            return output(kind, found)

    return run


def test_every_form_router_rule_and_granularity_has_a_case():
    from fusion.routing.options import BankOptions, changed

    built = [changed(BankOptions(), options) for options, _ in CASES.values()]
    assert {one.form for one in built} == set(FORMS)
    assert {one.rule for one in built} == set(RULES)
    assert {one.granularity for one in built} == set(GRANULARITIES)
    assert {one.router for one in built} == set(ROUTERS) - {"arrow"}  # it has nothing to train


def test_a_fresh_bank_changes_nothing_to_the_bit(case, kind, model, output, see):
    before = output(kind, model)
    attach_bank(model, *case)
    assert torch.equal(see(), before)


def test_off_or_dropped_it_is_the_frozen_model_to_the_bit(
    case, kind, model, output, see, moved_bank
):
    before, modules = output(kind, model), [name for name, _ in model.named_modules()]
    bank = moved_bank(model, *case)
    assert not torch.allclose(see(), before, atol=1e-6)
    bank.adapters.use(None)
    assert torch.equal(see(), before)
    bank.drop()
    assert torch.equal(see(), before)
    assert [name for name, _ in model.named_modules()] == modules
    assert find_method("bank") is not None and "bank" not in METHODS


@pytest.mark.parametrize("trained", ["all", "router", "experts"])
def test_count_is_what_is_trained(case, model, trained):
    bank = attach_bank(model, {**case[0], "trained": trained}, case[1])
    parameters = bank.parameters()
    nothing = (case[0].get("router"), trained) == ("given", "router")
    assert bank.count() == sum(p.numel() for p in parameters)
    assert (bank.count() == 0) == nothing
    trained_ones = [p for p in model.parameters() if p.requires_grad]
    assert {id(p) for p in trained_ones} == {id(p) for p in parameters}


def test_gradients_reach_the_bank_and_nothing_else(case, kind, model, run, moved_bank, context):
    bank = moved_bank(model, *case)
    with bank.adapters.context(context):
        run(kind, model).square().mean().backward()
    ours = {id(p) for p in bank.parameters()}
    blind = {"constant_subset", "one_hot"} & {bank.options.rule}
    for name, parameter in model.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        routes = ".router" in name or ".routers" in name
        if id(parameter) not in ours or (blind and routes):
            assert not reached, name
        elif bank.options.chosen is None:
            assert reached, name


def test_saved_and_loaded_gives_the_same_output_to_the_bit(
    case, kind, model, see, build, tmp_path, moved_bank
):
    bank = moved_bank(model, *case)
    expected = see()
    bank.save(tmp_path)
    other = build(kind)
    Adapters(other).load(tmp_path, "two")
    assert torch.equal(see(other), expected)
    (part,) = Adapters(other).parts("two")
    assert part.options == bank.options
    assert Adapters(other).count("two") == bank.count()


def test_two_banks_do_not_leak_into_each_other(case, kind, model, see, moved_bank, disturb):
    one = moved_bank(model, *case, name="one")
    first = see()
    two = attach_bank(model, *case, name="two")
    disturb(two.adapters, "two", seed=2)
    assert not torch.allclose(see(), first, atol=1e-6)
    one.adapters.use("one")
    assert torch.equal(see(), first)
    two.drop()
    assert torch.equal(see(), first)


def test_rows_equal_one_by_one(case, kind, model, run, disturb, moved_bank, context):
    bank = moved_bank(model, *case, name="one")
    attach_bank(model, *case, name="two")
    disturb(bank.adapters, "two", seed=2)
    rows = ["two", None, "one", "two"]
    with torch.no_grad(), bank.adapters.rows(rows), bank.adapters.context(context):
        found = run(kind, model)
    for index, name in enumerate(rows):
        bank.adapters.use(name)
        alone = context.take(torch.tensor([index]))
        with torch.no_grad(), bank.adapters.context(alone):
            single = run(kind, model, slice(index, index + 1))
        torch.testing.assert_close(found[index : index + 1], single, atol=1e-5, rtol=1e-4)


def test_models_in_half_precision_have_banks_in_float32(
    case, kind, build, see, run, tmp_path, output, moved_bank, context
):
    bank = moved_bank(build(kind), *case)
    with bank.adapters.context(context):
        expected = output(kind, bank.model)
    bank.save(tmp_path)
    model = build(kind).bfloat16()
    adapters = Adapters(model)
    adapters.load(tmp_path, "bank")
    assert {parameter.dtype for parameter in adapters.parameters("bank")} == {torch.float32}
    with adapters.context(context):
        found = run(kind, model)
    assert found.dtype == torch.bfloat16
    chosen = bank.options.chosen is not None  # rounding may turn a choice
    close = (0.1 if chosen else 0.02) * float(expected.std())
    assert float((found.detach().float() - expected).abs().mean()) < close
    found.float().square().mean().backward()
    grads = [p.grad for p in adapters.parameters("bank") if p.grad is not None]
    assert grads and all(grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize("kind", ["whisper"])
def test_a_model_with_a_bank_that_has_run_can_be_copied(
    case, kind, model, run, see, moved_bank, context
):
    bank = moved_bank(model, *case)
    with bank.route(), bank.adapters.context(context):
        run(kind, model)  # keeps a graph
    twin = copy.deepcopy(model)
    assert torch.equal(see(twin), see())
    with torch.no_grad():
        for parameter in bank.parameters():
            parameter.zero_()
    assert not torch.allclose(see(twin), see(), atol=1e-6)


def test_a_bank_is_neither_merged_nor_quantised(linear):
    model = linear()
    adapters = attach_bank(model, {"rank": 2}, ["0"]).adapters
    with pytest.raises(ValueError, match="'bank' cannot be merged"):
        adapters.merge()
    adapters.drop("bank")
    with pytest.raises(ValueError, match="'bank' cannot be quantised: its matrices are stacked"):
        attach(model, "bank", {}, ["0"], bits=4)
