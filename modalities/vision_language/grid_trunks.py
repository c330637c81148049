"""Frozen networks of pictures, each without its end: a grid of features remains."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from modalities.vision_language.clipseg import ClipSeg

if TYPE_CHECKING:
    from transformers import CLIPVisionModel, ResNetModel

STRIDE = 32  # pixels that a cell of a CLIP ResNet stands for


class ResNetTrunk(nn.Module):
    """The convolutions of a CLIP ResNet, without its attention pooling.

    Args:
        network: open_clip's ModifiedResNet; used as it is, not copied.

    Source:
        Radford et al. (2021, arXiv 2103.00020); open_clip, modified_resnet.py.
    """

    def __init__(self, network: Any):
        super().__init__()
        self.network = network
        self.cells = network.image_size // STRIDE
        self.dim: int = network.layer4[-1].conv3.out_channels
        self.told = "resnet"

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode, [batch, 3, side, side] -> [batch, dim, cells, cells]."""
        stages = (self.network.layer1, self.network.layer2, self.network.layer3)
        values = self.network.stem(pixels)
        for stage in (*stages, self.network.layer4):
            values = stage(values)
        return values


class PlainResNetTrunk(nn.Module):
    """The last stage of a ResNet of transformers, before its average over the picture.

    Args:
        model: Used as it is, not copied.
        side: Height and width of the pictures it takes, in pixels.
    """

    def __init__(self, model: "ResNetModel", side: int):
        super().__init__()
        config: Any = model.config
        self.model = model
        halves = 1 + config.downsample_in_first_stage + len(config.hidden_sizes)
        self.cells = -(-side // 2**halves)
        self.dim: int = config.hidden_sizes[-1]
        self.told = f"resnet of transformers {config.layer_type} {config.hidden_act}"

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode, [batch, 3, side, side] -> [batch, dim, cells, cells]."""
        return self.model(pixels, return_dict=True).last_hidden_state


class VitTrunk(nn.Module):
    """The last layer of a CLIP ViT: patches alone, before the norm that its class token gets.

    Args:
        model: Used as it is, not copied.
    """

    def __init__(self, model: "CLIPVisionModel"):
        super().__init__()
        config: Any = model.config
        self.model = model
        self.patch: int = config.patch_size  # of each side, in pixels
        self.cells: int = config.image_size // self.patch
        self.dim: int = config.hidden_size
        self.told = f"vit {config.hidden_act} {config.num_attention_heads}"

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode, [batch, 3, side, side] -> [batch, dim, cells, cells]."""
        states = self.model(pixel_values=pixels, return_dict=True).last_hidden_state
        return as_grid(states, self.cells)


class ClipSegTrunk(nn.Module):
    """The layers of a CLIPSeg's vision encoder that its decoder reads, side by side.

    Args:
        clipseg: Used as it is, not copied; its decoder and text encoder are left out.
    """

    def __init__(self, clipseg: ClipSeg):
        super().__init__()
        config: Any = clipseg.model.config
        self.vision = clipseg.model.clip.vision_model
        self._see = clipseg.see
        self.cells = clipseg.pictures.side // config.vision_config.patch_size
        self.dim: int = config.vision_config.hidden_size * len(clipseg.layers)
        heads = config.vision_config.num_attention_heads
        self.told = f"clipseg {config.vision_config.hidden_act} {heads} {clipseg.layers}"

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode, [batch, 3, side, side] -> [batch, dim, cells, cells]."""
        return as_grid(torch.cat(self._see(pixels), -1), self.cells)


def as_grid(states: Tensor, cells: int) -> Tensor:
    """Lay patches out as they were in the picture, and drop the class token.

    Args:
        states: [batch, 1 + cells * cells, dim], the class token first.
        cells: How many a side has.

    Returns:
        [batch, dim, cells, cells].
    """
    return states[:, 1:].transpose(1, 2).unflatten(2, (cells, cells))
