"""TeRA: its tensor network by hand, rank, count, what is shared and what is saved."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from fusion.adapters.interface import Adapters, attach
from fusion.methods.tera import split_evenly


def two(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(12, 24), nn.Linear(24, 12), nn.Linear(12, 24))


def weight_of(model: nn.Module, adapter_at, place: str = "0") -> torch.Tensor:
    """What is added to the weight, [out, in]."""
    delta = adapter_at(model, place).delta(model.get_submodule(place))
    assert delta is not None and delta.weight is not None
    return delta.weight.detach()


@pytest.mark.parametrize(
    ("features", "modes", "expected"),
    [
        (768, 2, (24, 32)),
        (384, 2, (16, 24)),
        (3072, 2, (48, 64)),
        (64, 3, (4, 4, 4)),
        (768, 3, (8, 8, 12)),
        (13, 2, (1, 13)),
        (12, 1, (12,)),
    ],
)
def test_features_are_split_into_factors_as_equal_as_can_be(features, modes, expected):
    assert split_evenly(features, modes) == expected


def test_the_change_is_the_tensor_network_of_the_formula(adapter_at, disturb):
    model = two()
    adapters = attach(model, "tera", {"scale": 0.5}, ("0",))
    disturb(adapters, "default")
    adapter = adapter_at(model, "0")
    network = adapter.borrowed[0].networks["12x24"]
    d = [vector.detach() for vector in adapter.vectors]
    a, b, c, e = (u * v for u, v in zip(network.factors, d, strict=True))  # U diag(d)
    core = network.core.view(3, 4, 4, 6)
    tensor = torch.einsum("ijkl,ai,bj,ck,dl->cdab", core, a, b, c, e)
    expected = 0.5 * tensor.reshape(24, 12)
    torch.testing.assert_close(weight_of(model, adapter_at), expected)
    features = torch.randn(2, 5, 12, generator=torch.Generator().manual_seed(1))
    frozen = nn.functional.linear(features, model[0].weight, model[0].bias)
    torch.testing.assert_close(model[0](features), frozen + features @ expected.T)


@pytest.mark.parametrize(("mode_rank", "rank"), [(0, 768), (4, 16)])
def test_the_rank_is_full_or_what_the_ranks_of_the_modes_allow(
    mode_rank, rank, adapter_at, disturb
):
    """Four vectors of 112 numbers in all, or of 16, at a square layer of 768."""
    model = nn.Sequential(nn.Linear(768, 768))
    adapters = attach(model, "tera", {"mode_rank": mode_rank}, ("0",))
    disturb(adapters, "default")
    assert adapters.count("default") == (112 if mode_rank == 0 else 16)
    found = torch.linalg.matrix_rank(weight_of(model, adapter_at).double(), rtol=1e-6)
    assert found.item() == rank


def test_counts_are_the_sums_of_the_ranks(both_counts):
    adapters = attach(two(), "tera", where=("0", "1", "2"))
    assert both_counts(adapters) == (3 * (3 + 4 + 4 + 6),) * 2
    adapters = attach(two(), "tera", {"modes": 3, "mode_rank": 2}, where=("0",))
    assert both_counts(adapters) == (2 + 2 + 2 + 2 + 2 + 2,) * 2


def test_layers_of_one_shape_share_what_is_random_and_no_gradient_reaches_it(adapter_at):
    model = two()
    attach(model, "tera", where=("0", "1", "2"))
    first, other, third = (adapter_at(model, place) for place in "012")
    assert first.borrowed[0] is third.borrowed[0]
    assert sorted(first.borrowed[0].networks) == ["12x24", "24x12"]
    model(torch.randn(3, 12)).square().sum().backward()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert all("vectors" in name for name in trained)
    assert other.vectors[2].grad.abs().sum() > 0  # the vector that starts at zero
    assert all(other.vectors[index].grad.abs().sum() == 0 for index in (0, 1, 3))


def test_what_is_random_comes_from_the_seed_and_not_from_the_file(tmp_path, adapter_at, disturb):
    model = two()
    adapters = attach(model, "tera", {"seed": 3}, ("0",), name="one")
    disturb(adapters, "one")
    adapters.save(tmp_path, "one")
    saved = load_file(next(tmp_path.rglob("*.safetensors")))
    assert sum(tensor.numel() for tensor in saved.values()) == 17
    torch.manual_seed(99)  # must not matter
    fresh = two()
    Adapters(fresh).load(tmp_path, "one")
    features = torch.randn(4, 12)
    assert torch.equal(fresh[0](features), model[0](features))
    other = two()
    attach(other, "tera", {"seed": 4}, ("0",))
    held = adapter_at(model, "0", "one"), adapter_at(other, "0")
    cores = [adapter.borrowed[0].networks["12x24"].core for adapter in held]
    assert not torch.allclose(*cores)


def test_it_learns_a_change_of_full_rank_that_its_vectors_can_make(adapter_at, disturb):
    model, aim = two(), two()
    disturb(attach(aim, "tera", where=("0",)), "default", seed=5)
    adapters = attach(model, "tera", where=("0",))
    optimiser = torch.optim.Adam(adapters.parameters("default"), 0.05)
    features = torch.randn(64, 12, generator=torch.Generator().manual_seed(0))
    expected = aim[0](features).detach()
    losses = []
    for _ in range(150):
        optimiser.zero_grad()
        loss = (model[0](features) - expected).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.01 * losses[0]


def test_modes_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="'modes' and 'mode_rank' of 'tera' are 0 and -1"):
        attach(two(), "tera", {"modes": 0, "mode_rank": -1}, ("0",))
