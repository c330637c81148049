"""Weights of a denoiser's resizing convolutions and norms are changed, and nothing that is told."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from fusion.conditions.branches import key_of
from fusion.conditions.checks import check_counts
from fusion.conditions.contract import Injector

RESIZING = ("downsamplers.0.conv", "upsamplers.0.conv")
NORMS = ("norm1", "norm2")


@dataclass(frozen=True)
class WeightPatchOptions:
    """What is changed.

    Attributes:
        rank: Channels between the two convolutions that change one.
        alpha: The change counts alpha / rank.
        norms: Whether the norms of residual blocks change as well, which larger pictures than the
            denoiser ever saw need.
        scale: What the change counts beside that.
    """

    rank: int = 16
    alpha: float = 16.0
    norms: bool = True
    scale: float = 1.0

    def __post_init__(self):
        check_counts(self, "rank")


class ConvLora(nn.Module):
    """The change of a convolution, of low rank.

    Args:
        layer: The convolution, for its sizes.
        rank: How many channels lie between.
    """

    def __init__(self, layer: nn.Conv2d, rank: int):
        super().__init__()
        size: Any = layer.kernel_size
        stride: Any = layer.stride
        padding: Any = layer.padding
        self.down = nn.Conv2d(layer.in_channels, rank, size, stride, padding, bias=False)
        self.up = nn.Conv2d(rank, layer.out_channels, 1, bias=False)
        nn.init.normal_(self.down.weight, std=1 / rank)
        nn.init.zeros_(self.up.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Return what the change adds, as the convolution makes it."""
        return self.up(self.down(features))


class NormPatch(nn.Module):
    """The change of a group norm's weights; what it adds is told apart, so that 0 adds nothing.

    Args:
        layer: The norm, for its sizes.
    """

    def __init__(self, layer: nn.GroupNorm):
        super().__init__()
        self.groups, self.eps = layer.num_groups, layer.eps
        self.weight = nn.Parameter(torch.zeros(layer.num_channels))
        self.bias = nn.Parameter(torch.zeros(layer.num_channels))

    def forward(self, features: Tensor) -> Tensor:
        """Return what the change adds, as the norm makes it."""
        return functional.group_norm(features, self.groups, self.weight, self.bias, self.eps)


class WeightPatch(Injector):
    """Changes the convolutions that resize and the norms beside them: for pictures of other sizes.

    It needs no condition. It holds changes, and not weights that take the place of others: with
    several, or on a denoiser that was trained further, each is added.

    Args:
        model: diffusers' UNet2DConditionModel.
        options: What is changed.

    Raises:
        ValueError: Another denoiser, or one that resizes nowhere.

    Source:
        ResAdapter, arXiv 2403.02084.
    """

    Options = WeightPatchOptions

    def __init__(self, model: Any, options: WeightPatchOptions):
        super().__init__(model, options)
        self.convolutions, self.norms = nn.ModuleDict(), nn.ModuleDict()
        for name, module in model.named_modules():
            if name.endswith(RESIZING):
                self.convolutions[key_of(name)] = ConvLora(module, options.rank)
            elif options.norms and ".resnets." in name and name.endswith(NORMS):
                self.norms[key_of(name)] = NormPatch(module)
        if not self.convolutions:
            raise ValueError(
                f"The denoiser has none of {' and '.join(RESIZING)}; expected one of several sizes."
            )
        self.strength = options.scale * options.alpha / options.rank

    def install(self, model: Any) -> list[RemovableHandle]:
        """Put a hook on each module that is changed."""
        handles = []
        for name, module in model.named_modules():
            key = key_of(name)
            if key in self.convolutions:
                add = partial(self._add, self.convolutions[key], self.strength)
            elif key in self.norms:
                add = partial(self._add, self.norms[key], self.options.scale)
            else:
                continue
            handles.append(module.register_forward_hook(add))
        return handles

    def _add(
        self, patch: nn.Module, scale: float, host: Any, args: tuple, output: Tensor
    ) -> Tensor:
        if not self.on:
            return output
        return output + scale * patch(args[0]).to(output.dtype)
