"""What is trained to paint sounds: tokens made of embeddings, and attention that reads them."""

from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor, nn

from modalities.diffusion.decoupled import Prompt, add_audio
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.networks import FLUX, SD3


@dataclass(frozen=True)
class AudioAdapterOptions:
    """How embeddings of sounds become tokens; the defaults are the published sizes.

    Attributes:
        sources: How many sounds a picture may have, the most significant first.
        dim: Width of their embeddings.
        hidden: Width between the two layers.
        dropout: Share of the hidden width that training sets to zero, 0 to below 1.
        scale: What attention to sounds counts, beside 1 for the attention to a text.
    """

    sources: int = 6
    dim: int = 512
    hidden: int = 2048
    dropout: float = 0.5
    scale: float = 1.0

    def __post_init__(self):
        for name in ("sources", "dim", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"Option {name!r} is {getattr(self, name)}; expected 1 or more.")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"Option 'dropout' is {self.dropout}; expected 0 to below 1.")
        if not isfinite(self.scale):
            raise ValueError(f"Option 'scale' is {self.scale}; expected a finite number.")


# What reads conditions on MM-DiTs, for a message: `fusion.conditions` is not known here.
STANDING = {
    FLUX: "token_branch (the presets easycontrol and pka)",
    SD3: "instructed_branch (the preset unic_adapter)",
}


class AudioTokens(nn.Module):
    """Makes a token of each embedding, and of its place among the others.

    Args:
        options: Sizes.
        token_dim: Width of tokens.

    Source:
        MACS, section 3.3, arXiv 2503.10287.
    """

    def __init__(self, options: AudioAdapterOptions, token_dim: int):
        super().__init__()
        self.positions = nn.Parameter(0.05 * torch.randn(options.sources, options.dim))
        self.layers = nn.Sequential(
            nn.LayerNorm(options.dim),
            nn.Linear(options.dim, options.hidden),
            nn.GELU(),
            nn.Dropout(options.dropout),
            nn.Linear(options.hidden, token_dim),
            nn.LayerNorm(token_dim),
        )

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return tokens, [rows, sources, token_dim].

        Args:
            embeddings: [rows, sources, dim]; zeros where there is no sound.
        """
        return self.layers(embeddings + self.positions)


class AudioAdapter(nn.Module):
    """Lets a denoiser read embeddings of sounds; the denoiser's own weights stay as they are.

    Args:
        denoiser: Its cross-attentions read sounds from now on, through layers that are in here.
        options: Sizes.

    Raises:
        ValueError: The denoiser has no cross-attention of the right form, as MM-DiTs have none.
    """

    def __init__(self, denoiser: Denoiser, options: AudioAdapterOptions):
        super().__init__()
        kind = type(denoiser.network).__name__
        if kind in STANDING:
            raise ValueError(
                f"Sounds are read by the cross-attentions of a U-Net; {denoiser.name} is a {kind}, "
                f"on which stands {STANDING[kind]} of fusion.conditions."
            )
        self.options = options
        self.tokens = AudioTokens(options, denoiser.token_dim)
        self.keys, self.values = add_audio(denoiser.network, options.scale)

    def prompt(self, denoiser: Denoiser, embeddings: Tensor) -> Prompt:
        """Say what rows of pictures sound like.

        Args:
            denoiser: That this was put on.
            embeddings: [rows, sources, dim], fewer sources than the options have or as many.

        Raises:
            ValueError: More sources, or another width.
        """
        return denoiser.prompt(len(embeddings), self.tokens(self.fill(embeddings)))

    def fill(self, embeddings: Tensor) -> Tensor:
        """Return embeddings with zeros for the sources that are not there.

        Args:
            embeddings: [rows, sources, dim].

        Raises:
            ValueError: More sources than the options have, or another width.
        """
        sources, dim = self.options.sources, self.options.dim
        if embeddings.ndim != 3 or embeddings.shape[1] > sources or embeddings.shape[2] != dim:
            raise ValueError(
                f"Embeddings of sounds are {list(embeddings.shape)}; expected [rows, sources, "
                f"{dim}] with up to {sources} sources, as the adapter was trained."
            )
        lacking = sources - embeddings.shape[1]
        return nn.functional.pad(embeddings, (0, 0, 0, lacking))

    def null(self, rows: int) -> Tensor:
        """Return the tokens of no sound at all, [rows, sources, token_dim]."""
        positions = self.tokens.positions
        return self.tokens(positions.new_zeros(rows, *positions.shape))
