"""What holds for every fusion with gates, whatever it adds of the lips."""

from collections.abc import Callable

import pytest
import torch

from fusion.audio_visual.aligned import AlignedFusion, AlignedFusionOptions
from fusion.audio_visual.gated import GatedFusion
from fusion.audio_visual.joint import JointFusion, JointFusionOptions

Build = Callable[[], GatedFusion]
ALIGNED = AlignedFusionOptions(lip_dim=6, dim=8, hidden=6, heads=2, reach=1, gate_hidden=4)
JOINT = JointFusionOptions(lip_dim=6, dim=8, hidden=5, gate_hidden=4)
KINDS = {"joint": lambda: JointFusion(JOINT), "aligned": lambda: AlignedFusion(ALIGNED)}


@pytest.fixture(params=KINDS)
def fresh(request) -> Build:
    return KINDS[request.param]


def trained(fresh: Build) -> GatedFusion:
    torch.manual_seed(0)
    fusion = fresh()
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.normal_(std=0.4)
    return fusion


def inputs(frames=4):
    torch.manual_seed(1)
    mask = torch.ones(2, frames, dtype=torch.bool)
    return torch.randn(2, 2 * frames, 8), torch.randn(2, frames, 6), mask, torch.randn(2, frames, 4)


def test_a_fresh_module_adds_no_lips(fresh):
    states, lips, mask, signs = inputs()
    fusion = fresh()
    other = fusion(states, torch.randn_like(lips), mask, signs)
    assert torch.equal(fusion(states, lips, mask, signs), other)
    assert torch.allclose(other, states, rtol=0.02)


def test_where_no_mouth_is_seen_the_sound_goes_on_to_the_bit(fresh):
    states, lips, mask, signs = inputs()
    mask[0] = False
    lips[0] = float("nan")
    fused = trained(fresh)(states, lips, mask, signs)
    assert torch.equal(fused[0], states[0])
    assert not torch.allclose(fused[1], states[1])


def test_unseen_frames_do_not_matter(fresh):
    states, lips, mask, signs = inputs()
    mask[:, 2:] = False
    changed = lips.clone()
    changed[:, 2:] = 7
    fusion = trained(fresh)
    assert torch.equal(fusion(states, lips, mask, signs), fusion(states, changed, mask, signs))


def test_lengths_have_to_fit(fresh):
    states, lips, mask, signs = inputs()
    with pytest.raises(ValueError, match="expected 2 states for each"):
        trained(fresh)(states[:, :-1], lips, mask, signs)
