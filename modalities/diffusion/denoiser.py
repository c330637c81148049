"""A denoiser with all that belongs to it: codec, noise, and what it is told by default."""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from modalities.diffusion.codecs import Codec
from modalities.diffusion.decoupled import Prompt
from modalities.diffusion.limits import MOST_PIXELS, MOST_TIMES
from modalities.diffusion.networks import CALLS, MMDITS, call_unet, most_places, patch_of
from modalities.diffusion.schedule import Schedule
from modalities.tensor_hash import hash_weights


class Denoiser(nn.Module):
    """Tells the noise in noisy pictures, or a velocity, as its schedule says.

    Args:
        network: diffusers' UNet2DConditionModel, SD3Transformer2DModel or FluxTransformer2DModel.
        codec: What it works on; a module.
        empty: The tokens of an empty text, [tokens, token_dim].
        noise: How it was trained, or is to be.
        side: Height and width of pictures where nobody says another, in pixels.
        name: What it was asked for by, for messages and cards.
        vector: An empty text as one vector, [vector_dim], which MM-DiTs read; None for U-Nets.

    Attributes:
        unet: The network, where it is a U-Net.
        transformer: The network, where it is an MM-DiT.

    Raises:
        ValueError: An MM-DiT without a vector, or one that does not fit the codec or the texts.
    """

    unet: Any
    transformer: Any

    def __init__(
        self,
        network: Any,
        codec: Codec,
        empty: Tensor,
        noise: Schedule,
        side: tuple[int, int],
        name: str,
        vector: Tensor | None = None,
    ):
        super().__init__()
        self._kind = type(network).__name__
        self.add_module("transformer" if self._kind in MMDITS else "unet", network)
        self.codec: Any = codec
        self.empty = nn.Parameter(empty)
        self.vector = None if vector is None else nn.Parameter(vector)
        self.noise, self.side, self.name = noise, side, name
        self.patch = patch_of(network, codec.shape(codec.multiple, codec.multiple)[0])
        if self._kind in MMDITS:
            self._check_texts()

    def _check_texts(self) -> None:
        config = self.network.config
        expected = (config.joint_attention_dim, config.pooled_projection_dim)
        given = (self.token_dim, None if self.vector is None else self.vector.shape[-1])
        if given != expected:
            raise ValueError(
                f"The empty text of {self.name} has tokens of width {given[0]} and a vector of "
                f"{given[1]}; the {self._kind} reads {expected[0]} and {expected[1]}."
            )

    @property
    def network(self) -> Any:
        """What of diffusers tells the noise, and what injectors stand on."""
        return self.transformer if self._kind in MMDITS else self.unet

    @property
    def token_dim(self) -> int:
        """Width of the tokens that it reads."""
        return self.empty.shape[-1]

    @property
    def multiple(self) -> int:
        """Height and width of pictures are multiples of it, in pixels."""
        return self.codec.multiple * self.patch

    @cached_property
    def identity(self) -> str:
        """A hash of all weights, as they were when it was first asked for."""
        return hash_weights(self)

    def prompt(self, rows: int, audio: Tensor | None = None) -> Prompt:
        """Say what rows of pictures are about.

        Args:
            rows: How many.
            audio: Tokens of their sounds, [rows, sources, token_dim], or None for none.

        Raises:
            ValueError: Sounds for an MM-DiT, which has no attention to read them by.
        """
        if audio is not None and self._kind in MMDITS:
            raise ValueError(f"{self.name} is a {self._kind}, which reads no tokens of sounds.")
        vector = None if self.vector is None else self.vector.expand(rows, -1)
        return Prompt(self.empty.expand(rows, -1, -1), audio, vector)

    def forward(self, noisy: Tensor, times: Tensor, prompt: Prompt) -> Tensor:
        """Return the noise that is thought to be in noisy latents, or its velocity.

        Args:
            noisy: [rows, channels, height, width].
            times: Each row's, [rows], or one for all, [].
            prompt: What the rows are about.
        """
        if self._kind not in MMDITS:
            return call_unet(self.unet, noisy, times, prompt)
        if prompt.vector is None:
            prompt = Prompt(prompt.text, None, self.prompt(len(noisy)).vector)
        return CALLS[self._kind](self.transformer, noisy, times, prompt)

    def count_tokens(self, height: int, width: int) -> int:
        """Return how many tokens, or places, the network makes of a picture of a size in pixels."""
        return height // self.multiple * (width // self.multiple)

    def check_size(self, height: int, width: int) -> None:
        """Check that pictures of a size can be painted.

        Raises:
            ValueError: The size is no multiple of what the codec needs, or beyond `MOST_PIXELS`,
                `MOST_TIMES` its own, or the places that the network has.
        """
        multiple, told = self.multiple, f"Pictures {width} pixels wide and {height} high"
        if height < multiple or width < multiple or height % multiple or width % multiple:
            raise ValueError(
                f"{told} cannot be painted by {self.name}; expected multiples of {multiple}."
            )
        if height * width > MOST_PIXELS:
            raise ValueError(
                f"{told} are too large to be painted; expected {MOST_PIXELS:,} pixels or fewer."
            )
        own = max(self.side)
        if max(height, width) > MOST_TIMES * own:
            raise ValueError(
                f"{told} cannot be painted by {self.name}, which knows {own} on a side; expected "
                f"{MOST_TIMES * own} or fewer."
            )
        most = most_places(self.network)
        if most is not None and max(height, width) > most * multiple:
            raise ValueError(
                f"{told} cannot be painted by {self.name}; expected "
                f"{most * multiple} or fewer on a side."
            )

    def freeze(self) -> "Denoiser":
        """Return itself, with nothing that learns, in evaluation mode."""
        return self.requires_grad_(False).eval()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.empty.device


def network_of(model: Any) -> Any:
    """Return diffusers' own network of a `Denoiser`; any other model is returned as it is."""
    return model.network if isinstance(model, Denoiser) else model
