import pytest
import torch

from fusion.audio_visual.aligned import AlignedFusion, AlignedFusionOptions
from fusion.audio_visual.joint import JointFusion

OPTIONS = AlignedFusionOptions(lip_dim=6, dim=8, hidden=6, heads=2, reach=1, gate_hidden=4)
FRAMES = 5


def trained(options=OPTIONS) -> AlignedFusion:
    torch.manual_seed(0)
    fusion = AlignedFusion(options)
    with torch.no_grad():
        for parameter in fusion.parameters():
            parameter.normal_(std=0.4)
    return fusion


def inputs(frames=FRAMES):
    torch.manual_seed(1)
    mask = torch.ones(2, frames, dtype=torch.bool)
    return torch.randn(2, 2 * frames, 8), torch.randn(2, frames, 6), mask, torch.randn(2, frames, 4)


def count(module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("reach", [0, 1, 2])
def test_a_moment_reads_the_lips_within_reach_and_no_others(reach):
    options = AlignedFusionOptions(lip_dim=6, dim=8, hidden=6, heads=2, reach=reach, gate_hidden=4)
    fusion = trained(options)
    states, lips, mask, signs = inputs(9)
    changed = lips.clone()
    changed[:, 4] = torch.randn(6)
    moved = (fusion(states, lips, mask, signs) - fusion(states, changed, mask, signs)).abs().sum(-1)
    near = torch.arange(18) // 2
    assert torch.equal(moved > 1e-6, ((near - 4).abs() <= reach).expand(2, -1))


def test_it_is_softmax_attention_over_itself_and_the_lips_near_it():
    """By torch's own attention, with gates as what is added to the logits."""
    fusion, (states, lips, mask, signs) = trained(), inputs()
    video, _ = fusion.weigh(signs, mask)
    heads, places = OPTIONS.heads, 2 * FRAMES
    query = fusion.query(fusion.hear(states)).unflatten(-1, (heads, -1)).transpose(1, 2)
    own = fusion.own_key(fusion.hear(states)).unflatten(-1, (heads, -1)).transpose(1, 2)
    keys = fusion.key(fusion.see(lips)).unflatten(-1, (heads, -1)).transpose(1, 2)
    values = fusion.value(fusion.see(lips)).unflatten(-1, (heads, -1)).transpose(1, 2)
    moment = torch.arange(places) // 2
    near = (moment[:, None] - torch.arange(FRAMES)).abs() <= OPTIONS.reach
    bias = video.log()[:, None, None].masked_fill(~near, -torch.inf)
    bias = torch.cat(
        [
            torch.zeros(places, places).fill_diagonal_(1).log().expand(2, 1, -1, -1),
            bias.expand(-1, -1, places, -1),
        ],
        -1,
    )
    read = torch.nn.functional.scaled_dot_product_attention(
        query, torch.cat([own, keys], 2), torch.cat([torch.zeros_like(own), values], 2), bias
    )
    added = fusion.out(read.transpose(1, 2).flatten(2))
    torch.testing.assert_close(fusion.add(states, lips, video), added)


def test_it_has_about_as_many_weights_as_the_joint_module():
    assert abs(count(AlignedFusion()) / count(JointFusion()) - 1) < 0.03


def test_sizes_have_to_fit():
    with pytest.raises(ValueError, match="expected a multiple"):
        AlignedFusionOptions(hidden=10)
    with pytest.raises(ValueError, match="expected 0 or more"):
        AlignedFusionOptions(reach=-1)
