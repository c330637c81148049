"""A map becomes features of several sizes, which are added to those of the denoiser's encoder."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fusion.conditions.checks import check_counts
from fusion.conditions.contract import Condition, Host, Injector, Step
from fusion.conditions.unet import add_residuals, residual_levels
from modalities.diffusion.diffusers_package import import_diffusers

RESIDUALS = "down_intrablock_additional_residuals"


@dataclass(frozen=True)
class PyramidOptions:
    """How a map becomes features.

    Attributes:
        channels: How many a map has.
        pixels: Side of the block of pixels that is one place of the latents.
        layers: Residual blocks of each size.
        light: Whether they are narrow ones.
        middle: Whether the block between encoder and decoder gets features, too, as in SDXL.
        text: Whether each size attends to the tokens of a text, or of sounds.
        heads: How many that attention has.
        head_dim: Width of each head.
        token_dim: Width of the tokens; 0 for that of the denoiser's own.
        residual: Whether what that attention finds is added to what was there, which no published
            form does; else it takes its place.
        groups: Parts that each 3 x 3 convolution is cut into, a 1 x 1 one beside it; 1 for none.
        zero: Whether it begins with features of 0, and the denoiser as it was.
    """

    channels: int = 3
    pixels: int = 8
    layers: int = 2
    light: bool = False
    middle: bool = False
    text: bool = False
    heads: int = 10
    head_dim: int = 64
    token_dim: int = 0
    residual: bool = False
    groups: int = 1
    zero: bool = True

    def __post_init__(self):
        check_counts(self, "channels", "pixels", "layers", "heads", "head_dim", "groups")
        if self.light and self.groups > 1:
            raise ValueError("Option 'light' and groups beyond 1 exclude each other; take one.")
        if self.residual and not self.text:
            raise ValueError("Option 'residual' is of the attention to a text; set 'text' as well.")


class HeterogeneousConv(nn.Module):
    """A convolution in groups, and one of single places over all channels, summed.

    Args:
        dim: Channels.
        groups: Parts of the 3 x 3 one.

    Raises:
        ValueError: The groups do not part the channels.

    Source:
        Singh et al., HetConv, arXiv 1903.04120, as Nexus Slim has it, arXiv 2602.14514.
    """

    def __init__(self, dim: int, groups: int):
        super().__init__()
        if dim % groups:
            raise ValueError(f"groups is {groups}; expected a number that parts {dim} channels.")
        self.grouped = nn.Conv2d(dim, dim, 3, padding=1, groups=groups, bias=False)
        self.pointwise = nn.Conv2d(dim, dim, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return [rows, dim, height, width] of the same."""
        return self.grouped(features) + self.pointwise(features)


class TextAttention(nn.Module):
    """Each place attends to tokens; what it finds takes the place of what was there, or is added.

    Args:
        dim: Channels.
        options: Heads.
        token_dim: Width of the tokens.

    Source:
        Nexus Adapters, arXiv 2602.14514; that nothing is added to what was there is its code's.
    """

    def __init__(self, dim: int, options: PyramidOptions, token_dim: int):
        super().__init__()
        attention = import_diffusers().models.attention_processor.Attention
        self.residual = options.residual
        self.norm = nn.LayerNorm(dim)
        self.attention = attention(
            query_dim=dim,
            cross_attention_dim=token_dim,
            heads=options.heads,
            dim_head=options.head_dim,
        )

    def forward(self, features: Tensor, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Return [rows, dim, height, width].

        Args:
            features: [rows, dim, height, width].
            tokens: [rows, tokens, token_dim].
            mask: Which tokens are real, bool, [rows, tokens]; None for all.
        """
        places = self.norm(features.flatten(2).transpose(1, 2))  # [rows, places, dim]
        found = self.attention(places, tokens, None if mask is None else mask[:, None])
        found = found.transpose(1, 2).unflatten(2, features.shape[2:])
        return features + found if self.residual else found


class ResidualPyramid(Injector):
    """Adds features of a map to the encoder of a denoiser.

    Args:
        model: diffusers' UNet2DConditionModel.
        options: Sizes.

    Raises:
        ValueError: Another denoiser, or groups that do not part its channels.

    Source:
        T2I-Adapter, arXiv 2302.08453, in diffusers' parts; Nexus Adapters, arXiv 2602.14514.
    """

    Options = PyramidOptions

    def __init__(self, model: Any, options: PyramidOptions):
        super().__init__(model, options)
        self.levels, widths = residual_levels(model, options.middle)
        self.widths = tuple(widths)
        self.factor = options.pixels * 2 ** self.levels[0]  # side of a block of the first size
        self.unshuffle = nn.PixelUnshuffle(self.factor)
        inputs = options.channels * self.factor**2
        self.conv_in = nn.Identity() if options.light else nn.Conv2d(inputs, widths[0], 3, 1, 1)
        blocks = self._blocks(inputs if options.light else widths[0], widths)
        self.body = nn.ModuleList(blocks)
        self.text = nn.ModuleList()
        if options.text:
            self.token_dim = options.token_dim or model.config.cross_attention_dim
            self.text.extend(TextAttention(dim, options, self.token_dim) for dim in widths)
        if options.groups > 1:
            for block in blocks:
                for layer in block.resnets:
                    layer.block1 = HeterogeneousConv(layer.block1.in_channels, options.groups)
        if options.zero:
            self._begin_at_zero(blocks)

    def _blocks(self, inputs: int, widths: list[int]) -> list[Any]:
        parts = import_diffusers().models.adapter
        kind = parts.LightAdapterBlock if self.options.light else parts.AdapterBlock
        before = [self.levels[0], *self.levels]
        return [
            kind(read, width, self.options.layers, down=level > last)
            for read, width, level, last in zip(
                [inputs, *widths], widths, self.levels, before, strict=False
            )
        ]

    @torch.no_grad()
    def _begin_at_zero(self, blocks: list[Any]) -> None:
        """Let all features be 0, so that a gradient still reaches what makes them."""
        attentions: list[Any] = list(self.text)
        last = [block.attention.to_out[0] for block in attentions]
        whole = not last or self.options.residual
        if whole and self.options.light:
            last += [block.out_conv for block in blocks]
        elif whole:
            last += [self.conv_in, *(layer.block2 for block in blocks for layer in block.resnets)]
            for block in blocks:
                if block.in_conv is not None:
                    block.in_conv.bias.zero_()
        for layer in last:
            layer.weight.zero_()
            layer.bias.zero_()

    @property
    def places(self) -> Mapping[str, int]:
        """Its levels, from the largest."""
        return {str(number): width for number, width in enumerate(self.widths)}

    @property
    def needs(self) -> tuple[str, ...]:
        """A map, and tokens where it attends to them."""
        return ("map", "tokens") if self.options.text else ("map",)

    def check(self, conditions: Mapping[str, Condition]) -> None:
        """Check what it is told, by kind.

        Raises:
            ValueError: Kinds, channels or widths that it was not built for.
        """
        super().check(conditions)
        given = conditions["map"]
        channels = self.options.channels
        if given.data.shape[1] != channels:
            raise ValueError(
                f"The map {given.name!r} has {given.data.shape[1]} channels; expected {channels}."
            )
        if self.options.text and conditions["tokens"].data.shape[-1] != self.token_dim:
            raise ValueError(
                f"The tokens {given.name!r} are {conditions['tokens'].data.shape[-1]} wide; "
                f"expected {self.token_dim}."
            )

    def encode(self, conditions: Mapping[str, Condition], host: Host) -> dict[str, Tensor]:
        """Make features of a map, [rows, channels, height, width] of each size.

        Raises:
            ValueError: The map is not as large as the pictures.
        """
        picture = conditions["map"]
        self._check_size(picture, host.step.pictures)
        tokens = conditions.get("tokens")
        features, found = self.conv_in(self.unshuffle(picture.data)), {}
        for number, block in enumerate(self.body):
            features = block(features)
            if tokens is not None:
                features = self.text[number](features, tokens.data, tokens.mask)
            found[str(number)] = features
        return found

    def _check_size(self, picture: Condition, latents: Tensor) -> None:
        side = self.options.pixels
        height, width = (side * length for length in latents.shape[2:])
        given = tuple(picture.data.shape[2:])
        if given != (height, width):
            raise ValueError(
                f"The map {picture.name!r} is {given[0]} x {given[1]} pixels; expected "
                f"{height} x {width}, as the picture that is painted."
            )
        if height % self.factor or width % self.factor:
            raise ValueError(
                f"The map {picture.name!r} is {height} x {width} pixels; expected multiples of "
                f"{self.factor}."
            )

    def before(self, step: Step) -> None:
        """Hand the features to the denoiser."""
        told, pictures = self.told, step.pictures
        assert told is not None
        features = [
            told.weight(str(number)) * told.take(str(number), len(pictures)).to(pictures.dtype)
            for number in range(len(self.levels))
        ]
        add_residuals(step.arguments, RESIDUALS, features)
