"""The fusion module in front of the encoder: its published size, and what may not reach what."""

import math

import pytest
import torch
from torch import nn

from fusion.audio_visual.upstream import (
    LocalCrossAttention,
    UpstreamFusion,
    UpstreamFusionOptions,
    cut_blocks,
    frames_in_blocks,
    join_blocks,
)

SMALL = UpstreamFusionOptions(
    mel_bins=16,
    layers=2,
    heads=3,
    block=16,
    audio_channels=4,
    audio_blocks=3,
    stages=((4, 1), (4, 1), (8, 1), (8, 1)),
    narrow=4,
)


def size(*modules: nn.Module) -> int:
    return sum(p.numel() for module in modules for p in module.parameters())


@pytest.fixture
def fusion() -> UpstreamFusion:
    torch.manual_seed(0)
    module = UpstreamFusion(SMALL).eval()
    for layer in module.modules():  # so that normalisation is not the identity
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d):
            assert layer.running_mean is not None and layer.bias is not None
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.normal_(layer.bias, std=0.5)
    return module


def inputs(rows: int = 2, pictures: int = 10):
    generator = torch.Generator().manual_seed(1)
    mel = torch.randn(rows, 16, 4 * pictures, generator=generator)
    crops = torch.randint(0, 256, (rows, pictures, 96, 96), generator=generator, dtype=torch.uint8)
    return mel, crops


def test_sizes_are_the_published_ones():
    with torch.device("meta"):
        module = UpstreamFusion()
    assert size(module.audio_front) == 1_635_808
    assert size(module.video_front) == 7_732_112
    assert size(module.layers, module.audio_in, module.video_in, module.out) == 3_822_960
    assert size(module) == 13_190_880


@torch.no_grad()
def test_without_a_mouth_the_log_mel_is_untouched_to_the_bit(fusion):
    mel, crops = inputs()
    assert fusion(mel) is mel
    assert fusion(mel, crops, torch.zeros(2, 10, dtype=torch.bool)) is mel
    seen = torch.tensor([[False] * 10, [True] * 10])
    fused = fusion(mel, crops, seen)
    assert torch.equal(fused[0], mel[0]) and not torch.allclose(fused[1], mel[1])
    alone = fusion(mel[1:], crops[1:])
    torch.testing.assert_close(fused[1:], alone)


@torch.no_grad()
@pytest.mark.parametrize("pictures", [1, 3, 4, 5, 9, 10])
def test_padding_changes_nothing(fusion, pictures):
    mel, crops = inputs(pictures=10)
    frames = 4 * pictures
    mask = torch.arange(40)[None].expand(2, -1) < frames
    seen = torch.arange(10)[None].expand(2, -1) < pictures
    padded = fusion(mel, crops, seen, mask)
    alone = fusion(mel[:, :, :frames], crops[:, :pictures])
    torch.testing.assert_close(padded[:, :, :frames], alone, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_crop_that_shows_no_mouth_is_not_looked_at(fusion):
    mel, crops = inputs()
    seen = torch.ones(2, 10, dtype=torch.bool)
    seen[:, 4] = False
    first = fusion(mel, crops, seen)
    crops[:, 4] = 255 - crops[:, 4]
    assert torch.equal(fusion(mel, crops, seen), first)
    crops[:, 5] = 255 - crops[:, 5]
    assert not torch.allclose(fusion(mel, crops, seen), first)


@torch.no_grad()
def test_what_is_far_away_in_time_has_no_influence(fusion):
    mel, crops = inputs(pictures=60)
    first = fusion(mel, crops)
    mel[:, :, 200:] = 0
    second = fusion(mel, crops)
    torch.testing.assert_close(second[:, :, :100], first[:, :, :100])
    assert not torch.allclose(second[:, :, 180:200], first[:, :, 180:200])


@torch.no_grad()
def test_heads_attend_by_themselves():
    torch.manual_seed(0)
    layer = LocalCrossAttention(SMALL)
    audio, video = torch.randn(2, 1, 16, 16)
    found = layer(audio, video, torch.ones(1, 16, dtype=torch.bool))
    outputs = []
    for head in range(3):
        rows = slice(16 * head, 16 * (head + 1))
        query, key, value = (
            nn.functional.linear(part, linear.weight[rows], linear.bias[rows])
            for part, linear in ((video, layer.query), (audio, layer.key), (audio, layer.value))
        )
        outputs.append(torch.softmax(query @ key.mT / math.sqrt(16), -1) @ value)
    attended = layer.norm(audio + layer.output(torch.cat(outputs, -1)))
    expected = layer.last_norm(attended + layer.feed_forward(attended))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("frames", [1, 11, 12, 13, 20, 21, 160])
def test_blocks_join_to_what_was_cut(frames):
    length = frames_in_blocks(frames, 16)
    assert length >= frames + 4 and length % 8 == 0
    sequence = torch.randn(2, length, 3)
    assert torch.equal(join_blocks(cut_blocks(sequence, 16)), sequence)


def test_every_parameter_learns(fusion):
    mel, crops = inputs()
    fusion.train()
    fusion(mel, crops).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in fusion.parameters())


def test_lengths_that_do_not_fit_and_bad_options_are_told(fusion):
    mel, crops = inputs()
    with pytest.raises(ValueError, match="9 mouth crops came with 40 frames"):
        fusion(mel, crops[:, :9])
    with pytest.raises(ValueError, match="'block' is 10"):
        UpstreamFusionOptions(block=10)
