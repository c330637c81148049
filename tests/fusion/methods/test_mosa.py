"""MoSA: experts that share the entries of one adapter."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from fusion.adapters.interface import attach
from fusion.methods.mosa import Mosa, consistency_loss


def vit(device: str = "meta") -> nn.Module:
    from transformers import ViTConfig, ViTModel

    with torch.device(device):
        return ViTModel(ViTConfig())


def experts_of(model) -> list[Mosa]:
    return [module for module in model.modules() if isinstance(module, Mosa)]


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


def test_in_evaluation_it_is_a_plain_bottleneck(build, disturb, output):
    options = {"rank": 4, "input": "norm", "norm": True, "scale": 0.1}
    model, plain = build("clip"), build("clip")
    adapters = attach(model, "mosa", options)
    others = attach(plain, "bottleneck", options | {"mode": "parallel"}, ("mlp",))
    disturb(adapters, "default")
    with torch.no_grad():
        found = adapters.named_parameters("default")
        for name, parameter in others.named_parameters("default").items():
            parameter.copy_(found[name])
    assert torch.equal(output("clip", model), output("clip", plain))


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


def test_blocks_draw_their_experts_each_for_itself(build, disturb, monkeypatch, output):
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
    first = [output("ast", model) for _ in range(40)]
    pairs = list(zip(drawn[0::2], drawn[1::2], strict=True))
    assert set(pairs) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert all(4 <= pairs.count(pair) <= 18 for pair in set(pairs))
    torch.manual_seed(0)
    assert torch.equal(output("ast", model), first[0])
    model.eval()
    output("ast", model)
    assert drawn[-2:] == [-1, -1]


def test_mosa_has_the_published_count():
    adapters = attach(vit(), "mosa", {"rank": 64})
    assert adapters.count("default") == 1_189_632
    assert sum(p.numel() for p in adapters.parameters("default")) == 1_189_632
    assert adapters.bytes("default") == 4 * 1_189_632  # the masks are not saved
    normed = attach(vit(), "mosa", {"rank": 64, "norm": True, "input": "norm"})
    assert normed.count("default") == 1_189_632 + 18_432


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
