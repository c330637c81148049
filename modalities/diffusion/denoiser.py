"""A denoiser with all that belongs to it: codec, noise, and what it is told by default."""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from modalities.diffusion.codecs import Codec
from modalities.diffusion.decoupled import Prompt
from modalities.diffusion.limits import MOST_PIXELS
from modalities.diffusion.noise import NoiseSchedule
from modalities.tensor_hash import hash_weights


class Denoiser(nn.Module):
    """Tells the noise in noisy pictures, in the form that its schedule names.

    Args:
        unet: diffusers' UNet2DConditionModel.
        codec: What it works on; a module.
        empty: The tokens of an empty text, [tokens, token_dim].
        noise: How it was trained, or is to be.
        side: Height and width of pictures where nobody says another, in pixels.
        name: What it was asked for by, for messages and cards.
    """

    def __init__(
        self,
        unet: Any,
        codec: Codec,
        empty: Tensor,
        noise: NoiseSchedule,
        side: tuple[int, int],
        name: str,
    ):
        super().__init__()
        self.unet = unet
        self.codec: Any = codec
        self.empty = nn.Parameter(empty)
        self.noise, self.side, self.name = noise, side, name

    @property
    def token_dim(self) -> int:
        """Width of the tokens that it reads."""
        return self.empty.shape[-1]

    @cached_property
    def identity(self) -> str:
        """A hash of all weights, as they were when it was first asked for."""
        return hash_weights(self)

    def prompt(self, rows: int, audio: Tensor | None = None) -> Prompt:
        """Say what rows of pictures are about.

        Args:
            rows: How many.
            audio: Tokens of their sounds, [rows, sources, token_dim], or None for none.
        """
        return Prompt(self.empty.expand(rows, -1, -1), audio)

    def forward(self, noisy: Tensor, times: Tensor, prompt: Prompt) -> Tensor:
        """Return the noise that is thought to be in noisy latents, or its velocity.

        Args:
            noisy: [rows, channels, height, width].
            times: Each row's, [rows], or one for all, [].
            prompt: What the rows are about.
        """
        return self.unet(
            noisy,
            times,
            prompt.text,
            # The one name that diffusers hands to each attention, and passes over where unread.
            cross_attention_kwargs={"ip_hidden_states": prompt},
            return_dict=False,
        )[0]

    def check_size(self, height: int, width: int) -> None:
        """Check that pictures of a size can be painted.

        Raises:
            ValueError: The size is no multiple of what the codec needs, or beyond `MOST_PIXELS`.
        """
        multiple = self.codec.multiple
        if height < multiple or width < multiple or height % multiple or width % multiple:
            raise ValueError(
                f"Pictures of {height} x {width} pixels cannot be painted by {self.name}; expected "
                f"multiples of {multiple}."
            )
        if height * width > MOST_PIXELS:
            raise ValueError(
                f"Pictures of {height} x {width} pixels are too large to be painted; expected "
                f"{MOST_PIXELS:,} pixels or fewer."
            )

    def freeze(self) -> "Denoiser":
        """Return itself, with nothing that learns, in evaluation mode."""
        return self.requires_grad_(False).eval()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.empty.device
