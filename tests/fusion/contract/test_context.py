"""What routers see beside the features, and which rows of a batch it belongs to."""

import pytest
import torch
from torch import nn

from fusion.adapters import Adapters, attach
from fusion.contract.context import Context, Repeats
from fusion.methods.bottleneck import Bottleneck
from fusion.methods.catalog import METHODS


class Gated(Bottleneck):
    """A bottleneck whose rows are scaled by what the context says of them."""

    def after(self, inputs, outputs):
        context = self.context(len(outputs))
        assert context is not None
        strength = context.values["strength"][:, None, None]
        return outputs + strength * (super().after(inputs, outputs) - outputs)


@pytest.fixture
def gated(monkeypatch, build, disturb) -> Adapters:
    monkeypatch.setitem(METHODS, "gated", Gated)
    adapters = attach(build("ast"), "gated", {"rank": 4}, name="one")
    attach(adapters.model, "bottleneck", {"rank": 4}, name="two")
    disturb(adapters, "one", 1)
    disturb(adapters, "two", 2)
    return adapters


def strengths(*values: float) -> Context:
    return Context(values={"strength": torch.tensor(values)})


@torch.no_grad()
def test_adapters_see_the_context_of_their_own_rows(gated, run):
    names = ["two", "one", None, "one"]
    with gated.rows(names), gated.context(strengths(9, 0.5, 9, 2)):
        found = run("ast", gated.model)
    for row, strength in ((1, 0.5), (3, 2.0)):
        gated.use("one")
        with gated.context(strengths(strength)):
            alone = run("ast", gated.model, slice(row, row + 1))
        torch.testing.assert_close(found[row : row + 1], alone, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_the_context_of_a_batch_is_over_with_its_block(gated, run):
    gated.use("one")
    with gated.context(strengths(1, 1, 1, 1)):
        run("ast", gated.model)
    with pytest.raises(AssertionError):
        run("ast", gated.model)


@torch.no_grad()
def test_the_context_of_a_doubled_batch_is_told_or_an_error(gated, run):
    gated.use("one")
    halves = strengths(0.5, 2)
    with gated.context(halves, whole=2):
        doubled = run("ast", gated.model)
    with gated.context(strengths(0.5, 2, 0.5, 2)):
        assert torch.equal(run("ast", gated.model), doubled)
    with gated.context(halves, each=True):
        beams = run("ast", gated.model)
    with gated.context(strengths(0.5, 0.5, 2, 2)):
        assert torch.equal(run("ast", gated.model), beams)
    with pytest.raises(ValueError, match="a context for 2 rows.*whole=2.*each=True"):
        with gated.context(halves):
            run("ast", gated.model)


@torch.no_grad()
def test_rows_of_a_doubled_batch_are_told_or_an_error(gated, run):
    gated.drop("one")
    adapters = attach(gated.model, "lora", {"rank": 2}, name="lora")
    adapters.use("lora")
    for parameter in adapters.parameters("lora"):
        parameter += 0.1
    model = gated.model
    for names, settings in (
        (["two", "lora", "two", "lora"], {}),
        (["two", "two", "lora", "lora"], {}),
    ):
        with adapters.rows(names, **settings):
            expected = run("ast", model)
        with adapters.rows(
            ["two", "lora"], **({"whole": 2} if names[1] == "lora" else {"each": True})
        ):
            assert torch.equal(run("ast", model), expected)
    with pytest.raises(ValueError, match="A batch of 4 was run with adapters for 2 rows"):
        with adapters.rows(["two", "lora"]):
            run("ast", model)
    with adapters.rows(["two", "two"]):  # in whatever order, it is the same
        found = run("ast", model)
    adapters.use("two")
    torch.testing.assert_close(found, run("ast", model), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("repeats", "batch", "expected"),
    [
        (Repeats(), 2, [0, 1]),
        (Repeats(whole=2), 4, [0, 1, 0, 1]),
        (Repeats(each=True), 6, [0, 0, 0, 1, 1, 1]),
        (Repeats(whole=2, each=True), 8, [0, 0, 1, 1, 0, 0, 1, 1]),
    ],
)
def test_orders_of_a_larger_batch(repeats, batch, expected):
    assert repeats.numbers(2, batch, "adapters").tolist() == expected


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_a_batch_that_is_no_multiple_is_an_error(batch):
    with pytest.raises(ValueError, match=f"A batch of {batch} was run with adapters for 2 rows"):
        Repeats(each=True).numbers(2, batch, "adapters")


def test_adapters_for_no_rows_are_an_error():
    with pytest.raises(ValueError, match="A batch of 2 was run with adapters for 0 rows"):
        Repeats().numbers(0, 2, "adapters")


def test_lengths_are_those_of_the_mask_and_rows_are_taken_from_all():
    mask = torch.tensor([[True, True, False], [True, False, False]])
    context = Context(torch.tensor([[5, 6, 0], [7, 0, 0]]), mask)
    assert context.lengths is not None and context.lengths.tolist() == [2, 1]
    second = context.take(torch.tensor([1]))
    assert second.tokens is not None and second.tokens.tolist() == [[7, 0, 0]]
    assert second.lengths is not None and second.lengths.tolist() == [1]
    assert second.batch == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "A context has nothing"),
        ({"tokens": torch.zeros(2, 3), "lengths": torch.ones(3)}, "tokens for 2, lengths for 3"),
        ({"tokens": torch.zeros(2, 3), "values": {"mask": torch.ones(2)}}, "by the name mask"),
    ],
)
def test_a_context_of_no_or_two_sizes_or_with_a_name_twice_is_an_error(given, message):
    with pytest.raises(ValueError, match=message):
        Context(**given)


def test_a_copy_of_a_model_has_a_context_of_its_own(gated, run):
    from copy import deepcopy

    other = deepcopy(gated.model)
    Adapters(other).use("one")
    with Adapters(other).context(strengths(1, 1, 1, 1)), torch.no_grad():
        run("ast", other)
    assert Adapters(gated.model).selection.context is None
    assert isinstance(other, nn.Module)
