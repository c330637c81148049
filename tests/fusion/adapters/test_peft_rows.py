"""Rows of a batch with adapters of their own, where layers of PEFT lie around other adapters."""

import pytest
import torch

from fusion.adapters import Adapters, attach
from fusion.contract.context import Context
from fusion.methods.bottleneck import Bottleneck
from fusion.methods.catalog import METHODS

CLOSE = dict(atol=1e-5, rtol=1e-4)
ROLES = ["q", "o", "fc1", "fc2"]
DORA = ("lora", {"rank": 2, "magnitudes": True}, ROLES)
PAIRS = {
    "IA3 around LoRA": (("lora", {"rank": 2}, ["k", "v"]), ("ia3", None, None)),
    "LoRA around IA3": (("ia3", None, None), ("lora", {"rank": 2}, ["k", "v"])),
    "DoRA around biases": (("bitfit", None, None), DORA),
    "biases, then DoRA": (DORA, ("bitfit", None, None)),
    "DoRA where a parallel bottleneck reads": (("bottleneck", {"mode": "parallel"}, None), DORA),
    "a parallel bottleneck, then DoRA": (DORA, ("bottleneck", {"mode": "parallel"}, None)),
}


@pytest.fixture(params=list(PAIRS))
def mixed(request, build, disturb) -> Adapters:
    model = build("whisper")
    for seed, (name, one) in enumerate(zip(("one", "two"), PAIRS[request.param], strict=True)):
        method, options, where = one
        disturb(attach(model, method, options, where, name=name), name, seed)
    return Adapters(model)


@torch.no_grad()
def check_rows(adapters: Adapters, names: list[str | None], found: torch.Tensor, run) -> None:
    for row, name in enumerate(names):
        adapters.use(name)
        alone = run("whisper", adapters.model, slice(row, row + 1))
        torch.testing.assert_close(found[row : row + 1], alone, **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("names", [["one", "two", None, "one"], ["one", "one", "two", "two"]])
def test_rows_of_layers_around_others_are_as_alone(mixed, run, names):
    with mixed.rows(names):
        found = run("whisper", mixed.model)
    check_rows(mixed, names, found, run)


@torch.no_grad()
def test_rows_next_to_each_other_are_as_alone_in_layers_around_others(mixed, run):
    with mixed.rows(["one", "two"], each=True):
        found = run("whisper", mixed.model)
    check_rows(mixed, ["one", "one", "two", "two"], found, run)


def test_rows_of_layers_around_others_are_trained_again_and_again(mixed, run):
    with mixed.rows(["one", "two", None, "one"]):
        for _ in range(2):
            run("whisper", mixed.model).square().mean().backward()
    assert all(p.grad is not None for p in mixed.parameters("one") if p.ndim > 1)


class Gated(Bottleneck):
    """A bottleneck whose rows are scaled by what the context says of them."""

    def after(self, inputs, outputs):
        context = self.context(len(outputs))
        assert context is not None
        strength = context.values["strength"][:, None, None]
        return outputs + strength * (super().after(inputs, outputs) - outputs)


@torch.no_grad()
def test_an_adapter_inside_a_layer_of_peft_sees_the_context_of_its_rows(
    monkeypatch, build, disturb, run
):
    monkeypatch.setitem(METHODS, "gated", Gated)
    adapters = attach(build("whisper"), "gated", {"rank": 2}, name="one")
    attach(adapters.model, *DORA, name="two")
    disturb(adapters, "one", 1)
    disturb(adapters, "two", 2)
    strengths = torch.tensor([9, 0.5, 9, 2])
    with (
        adapters.rows(["two", "one", None, "one"]),
        adapters.context(Context(values={"strength": strengths})),
    ):
        found = run("whisper", adapters.model)
    adapters.use("one")
    for row in (1, 3):
        with adapters.context(Context(values={"strength": strengths[row : row + 1]})):
            alone = run("whisper", adapters.model, slice(row, row + 1))
        torch.testing.assert_close(found[row : row + 1], alone, **CLOSE)


@torch.no_grad()
def test_rows_within_rows_give_way_to_those_around_them(mixed, run):
    with mixed.rows(["one"] * 4):
        expected = run("whisper", mixed.model)
        with mixed.rows(["two"] * 4):
            other = run("whisper", mixed.model)
        assert torch.equal(run("whisper", mixed.model), expected)
    assert not torch.allclose(other, expected, atol=1e-3)
