"""A denoiser of Stable Diffusion 3's or FLUX's class, small enough for two cores."""

from dataclasses import dataclass

import torch

from modalities.diffusion.codecs import PixelCodec
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.flow import FlowSchedule
from modalities.diffusion.small import SMALL
from modalities.diffusion.small_transformers import (
    FLUX,
    SmallTransformerOptions,
    build_small_transformer,
)


@dataclass(frozen=True)
class SmallMmditOptions:
    """How a small MM-DiT is built; the defaults are 64 wide with four blocks.

    Attributes:
        height: How high its pictures are, in pixels.
        width: How wide its pictures are, in pixels.
        colours: 3, or 1 for grey pictures.
        kind: "flux" for a FluxTransformer2DModel, "sd3" for an SD3Transformer2DModel.
        patch: Side of the blocks of pixels that are one token.
        layers: Blocks with layers of their own for text and picture.
        single_layers: Blocks that both share, in FLUX alone.
        heads: How many each attention has.
        head_dim: Width of a head, a multiple of 8.
        token_dim: Width of the tokens that it reads.
        pooled_dim: Width of the vector of a whole text that it reads.
        tokens: How many it reads as the empty text; they are learnt with it.
        places: Most tokens on a side of a picture, in SD3 alone.
        shift: How much more of a sampling's steps lie near noise, see `FlowSchedule`.
    """

    height: int = 16
    width: int = 16
    colours: int = 3
    kind: str = FLUX
    patch: int = 2
    layers: int = 2
    single_layers: int = 2
    heads: int = 4
    head_dim: int = 16
    token_dim: int = 64
    pooled_dim: int = 64
    tokens: int = 4
    places: int = 32
    shift: float = 1.0

    def __post_init__(self):
        _ = self.network  # says which sizes cannot be
        FlowSchedule(shift=self.shift)
        if self.tokens < 1:
            raise ValueError(f"Option 'tokens' is {self.tokens}; expected 1 or more.")

    @property
    def network(self) -> SmallTransformerOptions:
        """Sizes of the network alone."""
        return SmallTransformerOptions(
            kind=self.kind,
            channels=self.colours,
            patch=self.patch,
            layers=self.layers,
            single_layers=self.single_layers,
            heads=self.heads,
            head_dim=self.head_dim,
            token_dim=self.token_dim,
            pooled_dim=self.pooled_dim,
            places=self.places,
        )


class SmallMmdit(Denoiser):
    """An MM-DiT that is built from options alone, on pixels, trained by flow matching.

    Args:
        options: Its sizes.

    Raises:
        ValueError: diffusers is not installed, or sizes that do not fit.
    """

    def __init__(self, options: SmallMmditOptions):
        super().__init__(
            build_small_transformer(options.network, seed=int(torch.randint(2**31, ()))),
            PixelCodec(1, options.colours),
            torch.randn(options.tokens, options.token_dim),
            FlowSchedule(shift=options.shift),
            (options.height, options.width),
            SMALL,
            torch.randn(options.pooled_dim),
        )
        self.options = options
        self.check_size(*self.side)


def build_small_mmdit(options: SmallMmditOptions, seed: int = 0) -> SmallMmdit:
    """Build a small MM-DiT with random weights.

    Args:
        options: Its sizes.
        seed: Fixes all weights; torch's own generator is left as it was.

    Raises:
        ValueError: diffusers is not installed, or sizes that do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SmallMmdit(options)
