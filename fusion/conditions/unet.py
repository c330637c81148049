"""The layers of diffusers' UNet2DConditionModel that conditions enter by."""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn


def self_attentions(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield each self-attention of a denoiser by its name, in the denoiser's order."""
    for name, module in model.named_modules():
        if name.endswith(".attn1"):
            yield name, module


def residual_levels(model: Any, middle: bool) -> tuple[list[int], list[int]]:
    """Return where residuals enter the encoder of a denoiser.

    A block with attention adds one before it halves the picture, another one after.

    Args:
        model: The denoiser.
        middle: Whether the block between encoder and decoder adds one as well.

    Returns:
        How often the picture was halved at each place, and how many channels it has there.
    """
    levels, widths, halved = [], list(model.config.block_out_channels), 0
    for block in model.down_blocks:
        halves = block.downsamplers is not None
        attends = getattr(block, "has_cross_attention", False)
        levels.append(halved + int(halves and not attends))
        halved += int(halves)
    if middle:
        levels.append(halved)
        widths.append(widths[-1])
    return levels, widths


def add_residuals(arguments: dict[str, Any], name: str, features: list[Tensor]) -> None:
    """Add features to those that a denoiser is to be called with already.

    Args:
        arguments: The denoiser's, by name; changed in place.
        name: The argument that takes a list of features.
        features: In the denoiser's order.
    """
    there = arguments.get(name)
    if there is not None:
        features = [one + other for one, other in zip(there, features, strict=True)]
    arguments[name] = features


def skipped_widths(model: Any) -> list[int]:
    """Return how many channels each feature has that the decoder of a denoiser takes.

    Args:
        model: The denoiser, or a ControlNet, whose features are as those of its encoder.
    """
    widths = list(model.config.block_out_channels)
    found = [widths[0]]
    for block, width in zip(model.down_blocks, widths, strict=True):
        halves = block.downsamplers is not None
        found += [width] * (len(block.resnets) + int(halves))
    return found
