"""Convpass: its sums by hand, its grid of patches and its published counts."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from fusion.adapters.interface import attach
from fusion.methods.convpass import Convpass, ConvpassOptions

DIM, RANK = 12, 3
COUNTS: dict[str, tuple[dict, int]] = {
    "Convpass r 8": ({}, 159_168),
    "Convpass r 12": ({"rank": 12}, 235_872),
    "Convpass 3x3 r 8": ({"grid": (12, 101)}, 163_776),
}


@pytest.mark.parametrize("case", list(COUNTS))
def test_published_count(case, full_size, both_counts):
    options, published = COUNTS[case]
    adapters = attach(full_size("AST"), "convpass", options, ("mlp",))
    assert both_counts(adapters) == (published, published)


def gelu(features: Tensor) -> Tensor:
    return features / (1 + torch.exp(-1.702 * features))


@pytest.mark.parametrize("mode", ["parallel", "sequential"])
def test_convpass_is_a_bottleneck_whose_tokens_see_their_neighbours(
    mode, bare_site, moved, features_of, convolve_slowly
):
    options = ConvpassOptions(rank=RANK, mode=mode, scale=0.5)
    adapter = moved(Convpass(bare_site, options))
    inputs, outputs = features_of(7), features_of(7).flip(1)
    narrow = gelu(adapter.down(inputs if mode == "parallel" else outputs))
    mixed = convolve_slowly(narrow, adapter.conv.weight, before=1) + adapter.conv.bias
    expected = outputs + 0.5 * (gelu(mixed) @ adapter.up.weight.T + adapter.up.bias)
    torch.testing.assert_close(adapter.after(inputs, outputs), expected)


def test_convpass_on_a_grid_is_a_convolution_of_the_picture(bare_site, moved, features_of):
    special, grid = 2, (3, 5)
    options = ConvpassOptions(rank=RANK, grid=grid, special_tokens=special)
    adapter = moved(Convpass(bare_site, options))
    inputs = features_of(special + 15)
    narrow = gelu(adapter.down(inputs))

    def convolve(tokens: Tensor, height: int, width: int) -> Tensor:
        picture = tokens.reshape(-1, height, width, RANK).permute(0, 3, 1, 2)
        mixed = functional.conv2d(picture, adapter.conv.weight, adapter.conv.bias, padding=1)
        return mixed.permute(0, 2, 3, 1).reshape(tokens.shape)

    parts = [convolve(narrow[:, [0]], 1, 1), convolve(narrow[:, [1]], 1, 1)]
    parts.append(convolve(narrow[:, special:], *grid))
    expected = adapter.up(gelu(torch.cat(parts, 1)))
    torch.testing.assert_close(adapter.after(inputs, torch.zeros_like(inputs)), expected)


def test_special_tokens_and_patches_do_not_see_each_other(bare_site, moved, features_of):
    adapter = moved(Convpass(bare_site, ConvpassOptions(grid=(2, 3), special_tokens=1)))
    inputs, outputs = features_of(7), torch.zeros(2, 7, DIM)
    found = adapter.after(inputs, outputs)
    other = inputs.clone()
    other[:, 0] += 1
    changed = (adapter.after(other, outputs) - found).abs().amax((0, 2)) > 1e-6
    assert changed.tolist() == [True] + 6 * [False]
    other = inputs.clone()
    other[:, 1] += 1  # the corner of 2 x 3 patches, which has three neighbours
    changed = (adapter.after(other, outputs) - found).abs().amax((0, 2)) > 1e-6
    assert changed.tolist() == [False, True, True, False, True, True, False]


def test_the_grid_and_its_special_tokens_fit_a_real_encoder(build, run, disturb):
    model = build("ast")
    # 32 mel bands and 40 frames in patches of 16 x 16, 10 apart
    options = {"rank": 4, "grid": (2, 3), "special_tokens": 2}
    before = run("ast", model)
    disturb(attach(model, "convpass", options), "default")
    assert not torch.allclose(run("ast", model), before)


def test_a_grid_that_does_not_fit_is_told(bare_site, features_of):
    adapter = Convpass(bare_site, ConvpassOptions(grid=(2, 3), special_tokens=1))
    with pytest.raises(ValueError, match="8 tokens came; expected 1 special tokens .* 2 x 3"):
        adapter.after(features_of(8), features_of(8))
