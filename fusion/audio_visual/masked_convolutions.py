"""Residual convolutions that see no padding."""

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """Convolutions beside a shortcut, which has a convolution of its own where shapes differ.

    Args:
        convolutions: With normalisations; their sum with the shortcut is rectified.
        shortcut: None for the input itself.
    """

    def __init__(self, convolutions: nn.Sequential, shortcut: nn.Module | None = None):
        super().__init__()
        self.convolutions = convolutions
        self.shortcut = shortcut or nn.Identity()

    def forward(self, maps: Tensor, mask: Tensor) -> Tensor:
        """[batch, channels, frames, ...] -> the same with other channels; see `run_masked`."""
        changed = run_masked(self.convolutions, maps, mask)
        return torch.relu(changed + run_masked(self.shortcut, maps, mask))


def run_masked(module: nn.Module, maps: Tensor, mask: Tensor) -> Tensor:
    """Run layers so that no convolution sees padding: it is zero before each of them.

    Args:
        module: A layer, or a sequence of them.
        maps: [batch, channels, frames, ...].
        mask: [batch, frames], bool, True where real.

    Returns:
        [batch, channels, frames, ...].
    """
    if isinstance(module, nn.Sequential):
        for layer in module:
            maps = run_masked(layer, maps, mask)
        return maps
    if isinstance(module, Residual):
        return module(maps, mask)
    if isinstance(module, nn.Conv2d | nn.Conv3d | nn.ConvTranspose3d):
        shape = (len(maps), 1, mask.shape[1], *[1] * (maps.ndim - 3))
        maps = maps * mask.view(shape)
    return module(maps)
