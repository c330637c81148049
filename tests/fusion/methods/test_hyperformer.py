"""Hyperformer: what its hypernetwork generates, and a task for each row."""

import pytest
import torch
from torch import Tensor, nn

from fusion.adapters.interface import Adapters, attach
from fusion.methods.hyperformer import select_task

CLOSE = dict(atol=1e-5, rtol=1e-4)
# VL-Adapter's, less its visual embedding and its norms
PUBLISHED = {"VL-Adapter, Hyperformer": 8_579_088 - 1_632_000}


@pytest.mark.parametrize("case", list(PUBLISHED))
def test_published_count(case, full_size, both_counts):
    options = {"rank": 96, "activation": "gelu_tanh", "tasks": 4}
    adapters = attach(full_size("BART-base"), "hyperformer", options)
    assert both_counts(adapters) == (PUBLISHED[case], PUBLISHED[case])


SMALL = {"rank": 4, "tasks": 3, "embedding": 6, "hidden": 10, "projected": 5}


@pytest.fixture
def bart(build) -> nn.Module:
    return build("bart")


@pytest.fixture
def hyper(bart, disturb) -> Adapters:
    adapters = attach(bart, "hyperformer", {**SMALL, "activation": "relu"})
    disturb(adapters, "default")
    return adapters


@pytest.mark.parametrize(
    ("path", "stack", "layer", "kind"),
    [
        ("encoder.layers.1.fc2", "encoder", 1, "mlp"),
        ("decoder.layers.0.self_attn.out_proj", "decoder", 0, "attention"),
        ("decoder.layers.1.encoder_attn.out_proj", "decoder", 1, "cross_attention"),
    ],
)
@pytest.mark.parametrize("task", [0, 2])
def test_adapters_are_what_the_hypernetwork_generates(hyper, bart, path, stack, layer, kind, task):
    named = hyper.named_parameters("default")
    start = next(iter(named)).split("shared.")[0] + "shared."

    def part(name: str) -> Tensor:
        return named[f"{start}stacks.{stack}-layers.{name}"]

    def linear(name: str, read: Tensor) -> Tensor:
        return part(f"{name}.weight") @ read + part(f"{name}.bias")

    read = torch.cat([named[f"{start}tasks.weight"][task], part("layers.weight")[layer]])
    narrow = linear("network.2", linear("network.0", read).clamp(min=0))
    normed = (narrow - narrow.mean()) / (narrow.var(correction=0) + 1e-5).sqrt()
    normed = normed * part("network.3.weight") + part("network.3.bias")
    made = {n: linear(f"generators.{kind}.{n}", normed) for n in ("down", "up")}
    biases = {n: linear(f"generators.{kind}.{n}_bias", normed) for n in ("down", "up")}

    site = bart.get_submodule(path)
    inputs = torch.randn(2, 5, site.in_features, generator=torch.Generator().manual_seed(5))
    select_task(hyper, "default", task)
    found = site(inputs)
    hyper.use(None)
    plain = site(inputs)
    inner = torch.relu(plain @ made["down"].view(4, 32).T + biases["down"])
    expected = plain + inner @ made["up"].view(32, 4).T + biases["up"]
    torch.testing.assert_close(found, expected, **CLOSE)


def test_tasks_differ_and_the_first_is_chosen_at_the_start(hyper, bart, run):
    start = run("bart", bart)
    outputs = []
    for task in range(3):
        select_task(hyper, "default", task)
        outputs.append(run("bart", bart))
    assert torch.equal(outputs[0], start)
    assert not torch.allclose(outputs[0], outputs[1])
    assert not torch.allclose(outputs[1], outputs[2])


def test_rows_of_different_tasks_equal_those_tasks_alone(hyper, bart, run):
    tasks = [2, 0, 1, 2]
    select_task(hyper, "default", tasks)
    found = run("bart", bart)
    for row, task in enumerate(tasks):
        select_task(hyper, "default", task)
        alone = run("bart", bart, slice(row, row + 1))
        torch.testing.assert_close(found[row : row + 1], alone, **CLOSE)


def test_windows_beams_and_doubled_batches_have_the_task_of_their_row(hyper, bart, run):
    select_task(hyper, "default", [1, 1, 2, 2])
    expected = run("bart", bart)
    select_task(hyper, "default", [1, 2], each=True)
    torch.testing.assert_close(run("bart", bart), expected, **CLOSE)
    select_task(hyper, "default", [1, 2, 1, 2])
    expected = run("bart", bart)
    select_task(hyper, "default", [1, 2], whole=2)
    torch.testing.assert_close(run("bart", bart), expected, **CLOSE)
    select_task(hyper, "default", [1, 2])
    with pytest.raises(ValueError, match="A batch of 4 was run with tasks for 2 rows.*whole=2"):
        run("bart", bart)


def test_tasks_go_with_the_rows_that_have_the_adapter(hyper, bart, run):
    select_task(hyper, "default", 2)
    expected = run("bart", bart, slice(3, 4))
    select_task(hyper, "default", [1, 2])
    with hyper.rows(["default", None, None, "default"]):
        found = run("bart", bart)
    torch.testing.assert_close(found[3:], expected, **CLOSE)


@pytest.mark.parametrize("task", [3, -1, [0, 3]])
def test_wrong_tasks_are_told(hyper, task):
    with pytest.raises(ValueError, match="adapter 'default' has 3, from 0 to 2"):
        select_task(hyper, "default", task)


def test_tasks_for_other_rows_are_told(hyper, bart, run):
    select_task(hyper, "default", [0, 1, 2])
    with pytest.raises(ValueError, match="A batch of 4 was run with tasks for 3 rows"):
        run("bart", bart)


def test_only_hyperformer_has_tasks(hyper, bart):
    attach(bart, "bottleneck", {"rank": 4}, name="other")
    with pytest.raises(ValueError, match="'other' is bottleneck; only hyperformer has tasks"):
        select_task(hyper, "other", 0)
    with pytest.raises(ValueError, match="No adapter 'third'; the model has: default, other"):
        select_task(hyper, "third", 0)


def test_training_one_task_leaves_the_embeddings_of_others(hyper, bart, run):
    select_task(hyper, "default", 1)
    run("bart", bart.train()).square().mean().backward()
    named = hyper.named_parameters("default")
    tasks = next(p for name, p in named.items() if name.endswith("shared.tasks.weight"))
    assert tasks.grad.abs().amax(1).gt(0).tolist() == [False, True, False]


def test_tasks_are_selected_where_lora_wraps_the_same_layers(hyper, bart, run):
    select_task(hyper, "default", 1)
    expected = run("bart", bart)
    attach(bart, "lora", {"rank": 2}, ("o", "fc2"), name="lora")
    hyper.use("default")
    select_task(hyper, "default", 0)
    assert not torch.allclose(run("bart", bart), expected)
    select_task(hyper, "default", 1)
    torch.testing.assert_close(run("bart", bart), expected)
