"""A denoiser of Stable Diffusion's class, small enough for two cores, with random weights."""

from dataclasses import dataclass
from typing import Any

import torch

from modalities.diffusion.codecs import PixelCodec
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.diffusers_package import import_diffusers
from modalities.diffusion.noise import COSINE, VELOCITY, NoiseSchedule

SMALL = "small"  # its name, until it is written to a folder


@dataclass(frozen=True)
class SmallDenoiserOptions:
    """How a small denoiser is built.

    Attributes:
        height: How high its pictures are, in pixels.
        width: How wide its pictures are, in pixels.
        colours: 3, or 1 for grey pictures.
        block: Side of the blocks of pixels that become channels, see `PixelCodec`.
        channels: How many each level has; each has half the height and width of the one before.
        attention: Levels that attend to themselves and to tokens, from 0; the middle always does.
        layers: Residual blocks of each level.
        heads: How many each attention has; they part the channels of all levels.
        groups: How many each group norm has; they part the channels of all levels.
        token_dim: Width of the tokens that it reads.
        tokens: How many it reads as the empty text; they are learnt with it.
        noise: A name of `modalities.diffusion.noise.KINDS`.
        told: A name of `modalities.diffusion.noise.TOLD`, see `NoiseSchedule`.
    """

    height: int = 32
    width: int = 32
    colours: int = 3
    block: int = 2
    channels: tuple[int, ...] = (32, 64, 96)
    attention: tuple[int, ...] = (1, 2)
    layers: int = 1
    heads: int = 4
    groups: int = 16
    token_dim: int = 128
    tokens: int = 4
    noise: str = COSINE
    told: str = VELOCITY

    def __post_init__(self):
        NoiseSchedule(self.noise, told=self.told)  # says what there is to choose from
        for name in ("layers", "heads", "groups", "token_dim", "tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"Option {name!r} is {getattr(self, name)}; expected 1 or more.")
        if not self.channels or any(n < 1 or n % self.groups for n in self.channels):
            raise ValueError(
                f"channels are {list(self.channels)}; expected multiples of groups {self.groups}."
            )
        if any(n % self.heads for n in self.channels):
            raise ValueError(
                f"channels are {list(self.channels)}; expected multiples of heads {self.heads}."
            )
        if bad := [level for level in self.attention if not 0 <= level < len(self.channels)]:
            raise ValueError(
                f"attention names level {bad[0]}; expected 0 to {len(self.channels) - 1}."
            )


class SmallDenoiser(Denoiser):
    """A denoiser that is built from options alone.

    Args:
        options: Its sizes.

    Raises:
        ValueError: diffusers is not installed, or sizes that do not fit.
    """

    def __init__(self, options: SmallDenoiserOptions):
        codec = PixelCodec(options.block, options.colours)
        unet = import_diffusers().UNet2DConditionModel(**unet_sizes(options, codec))
        empty = torch.randn(options.tokens, options.token_dim)
        side = (options.height, options.width)
        noise = NoiseSchedule(options.noise, told=options.told)
        super().__init__(unet, codec, empty, noise, side, SMALL)
        self.options = options
        self.check_size(*side)


def build_small(options: SmallDenoiserOptions, seed: int = 0) -> SmallDenoiser:
    """Build a small denoiser with random weights.

    Args:
        options: Its sizes.
        seed: Fixes all weights; torch's own generator is left as it was.

    Raises:
        ValueError: diffusers is not installed, or sizes that do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SmallDenoiser(options)


def unet_sizes(options: SmallDenoiserOptions, codec: PixelCodec) -> dict[str, Any]:
    """Return the options as diffusers' UNet2DConditionModel takes them."""
    levels = range(len(options.channels))
    attends = [level in options.attention for level in levels]
    depth = codec.shape(options.height, options.width)[0]
    return dict(
        sample_size=None,
        in_channels=depth,
        out_channels=depth,
        block_out_channels=options.channels,
        down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attends),
        up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in attends[::-1]),
        layers_per_block=options.layers,
        norm_num_groups=options.groups,
        attention_head_dim=options.heads,  # what diffusers calls so is the number of heads
        cross_attention_dim=options.token_dim,
    )
