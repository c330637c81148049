"""MM-DiTs of diffusers' classes, small enough for two cores, with random weights."""

from dataclasses import dataclass
from typing import Any

import torch

from modalities.diffusion.diffusers_package import import_diffusers

FLUX, SD3 = "flux", "sd3"
KINDS = (FLUX, SD3)


@dataclass(frozen=True)
class SmallTransformerOptions:
    """How a small MM-DiT is built.

    Attributes:
        kind: "flux" for a FluxTransformer2DModel, "sd3" for an SD3Transformer2DModel.
        channels: Channels of the latents that it reads and writes.
        patch: Side of the blocks of latents that are one token; FLUX is told them packed.
        layers: Blocks with layers of their own for text and picture.
        single_layers: Blocks that both share, in FLUX alone.
        heads: How many each attention has.
        head_dim: Width of a head, a multiple of 8.
        token_dim: Width of the text's tokens.
        pooled_dim: Width of the whole text's vector.
        places: Most tokens on a side, in SD3 alone.
        guided: Whether it is told how strong guidance is, in FLUX alone.
    """

    kind: str = FLUX
    channels: int = 4
    patch: int = 2
    layers: int = 2
    single_layers: int = 2
    heads: int = 4
    head_dim: int = 16
    token_dim: int = 128
    pooled_dim: int = 32
    places: int = 32
    guided: bool = False

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"No MM-DiT of kind {self.kind!r}; known: {', '.join(KINDS)}.")
        for name in ("channels", "patch", "layers", "heads", "token_dim", "pooled_dim", "places"):
            if getattr(self, name) < 1:
                raise ValueError(f"Option {name!r} is {getattr(self, name)}; expected 1 or more.")
        if self.single_layers < 0:
            raise ValueError(f"Option 'single_layers' is {self.single_layers}; expected 0 or more.")
        if self.head_dim < 8 or self.head_dim % 8:
            raise ValueError(f"head_dim is {self.head_dim}; expected a multiple of 8.")


def build_small_transformer(options: SmallTransformerOptions, seed: int = 0) -> Any:
    """Build a small MM-DiT with random weights, in evaluation mode.

    Args:
        options: Its sizes.
        seed: Fixes all weights; torch's own generator is left as it was.

    Returns:
        diffusers' FluxTransformer2DModel or SD3Transformer2DModel.

    Raises:
        ValueError: diffusers is not installed.
    """
    diffusers = import_diffusers()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if options.kind == FLUX:
            return diffusers.FluxTransformer2DModel(**_flux_sizes(options)).eval()
        return diffusers.SD3Transformer2DModel(**_sd3_sizes(options)).eval()


def _flux_sizes(options: SmallTransformerOptions) -> dict[str, Any]:
    side = options.head_dim // 8 * 2  # for rows and for columns, the rest for the first axis
    return dict(
        in_channels=options.channels * options.patch**2,
        num_layers=options.layers,
        num_single_layers=options.single_layers,
        attention_head_dim=options.head_dim,
        num_attention_heads=options.heads,
        joint_attention_dim=options.token_dim,
        pooled_projection_dim=options.pooled_dim,
        guidance_embeds=options.guided,
        axes_dims_rope=(options.head_dim - 2 * side, side, side),
    )


def _sd3_sizes(options: SmallTransformerOptions) -> dict[str, Any]:
    return dict(
        sample_size=options.places * options.patch,
        patch_size=options.patch,
        in_channels=options.channels,
        out_channels=options.channels,
        num_layers=options.layers,
        attention_head_dim=options.head_dim,
        num_attention_heads=options.heads,
        joint_attention_dim=options.token_dim,
        caption_projection_dim=options.heads * options.head_dim,
        pooled_projection_dim=options.pooled_dim,
        pos_embed_max_size=options.places,
    )
