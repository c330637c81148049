"""Fusion modules that are weighed frame by frame."""

import pytest
import torch

from fusion.audio_visual.joint import JointFusion, JointFusionOptions
from fusion.audio_visual.mixed import MixedFusion

OPTIONS = JointFusionOptions(lip_dim=6, dim=8, hidden=5, gate_hidden=4)


def trained(seed: int) -> JointFusion:
    torch.manual_seed(seed)
    fusion = JointFusion(OPTIONS)
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.normal_()
    return fusion


def inputs():
    torch.manual_seed(1)
    mask = torch.ones(2, 4, dtype=torch.bool)
    return torch.randn(2, 8, 8), torch.randn(2, 4, 6), mask, torch.randn(2, 4, 4)


def test_fresh_gates_weigh_all_modules_alike():
    fusions = [trained(seed) for seed in range(3)]
    expected = torch.stack([fusion(*inputs()) for fusion in fusions]).mean(0)
    torch.testing.assert_close(MixedFusion(fusions)(*inputs()), expected)


def test_each_frame_has_weights_of_its_own():
    fusions = [trained(seed) for seed in range(2)]
    mixed = MixedFusion(fusions)
    states, *others = inputs()
    states[:, :, 0] = torch.where(torch.arange(8) < 4, 9.0, -9.0)  # the feature that gates read
    with torch.no_grad():
        mixed.gate.weight[:, 0] = torch.tensor([100.0, -100.0])
    made = [fusion(states, *others) for fusion in fusions]
    found = mixed(states, *others)
    torch.testing.assert_close(found[:, :4], made[0][:, :4])
    torch.testing.assert_close(found[:, 4:], made[1][:, 4:])


def test_gates_alone_are_trained():
    mixed = MixedFusion([trained(0), trained(1)])
    mixed(*inputs()).square().sum().backward()
    assert {name for name, p in mixed.named_parameters() if p.requires_grad} == {
        "gate.weight",
        "gate.bias",
    }
    assert mixed.gate.weight.grad is not None and mixed.gate.weight.grad.abs().sum() > 0


def test_modules_of_different_widths_and_none_are_refused():
    other = JointFusion(JointFusionOptions(lip_dim=5, dim=8, hidden=5, gate_hidden=4))
    for fusions in ([], [trained(0), other]):
        with pytest.raises(ValueError, match="one module or more, all alike"):
            MixedFusion(fusions)
