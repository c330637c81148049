"""CorDA: its start from the data, as the paper and PEFT have it, and what it becomes."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.nn import functional

from fusion.adapters.interface import Adapters, attach
from fusion.methods.corda import collect_covariances, invert


@pytest.fixture
def started(calibrate_linear):
    """Attaches CorDA to a layer, started from data: those made here unless others are given."""

    def attach_one(model: nn.Module, options: dict, calibrate=calibrate_linear) -> Adapters:
        return attach(model, "corda", options, ["0"], calibrate=calibrate)

    return attach_one


def seen_by(model: nn.Module, calibrate) -> torch.Tensor:
    """Return what the first layer reads of the data, [samples, tokens, in]."""
    read = []
    hook = model[0].register_forward_pre_hook(lambda module, args: read.append(args[0]))
    list(calibrate(model))
    hook.remove()
    return torch.cat(read)


@pytest.mark.parametrize("mode", ["ipm", "kpm"])
def test_corda_starts_from_components_weighed_by_the_covariance(
    mode, linear, calibrate_linear, started
):
    model = linear()
    weight = model[0].weight.double()
    samples = seen_by(model, calibrate_linear).double()
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
def test_corda_starts_where_peft_s_does_and_computes_the_same(mode, linear, started):
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


def test_corda_trains_the_function_of_the_paper_and_leaves_the_weight(disturb, linear, started):
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


def test_covariances_do_not_depend_on_how_samples_are_batched(linear):
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


def test_corda_tells_that_it_has_no_data_or_a_rank_too_high(linear, started):
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
