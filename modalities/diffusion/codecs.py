"""What a denoiser works on: pixels in another order, or the latents of a frozen VAE."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

COLOURS = 3
FORMS = (1, 3)  # channels of pictures: grey, or red, green and blue


class Codec(Protocol):
    """Turns pictures into what is denoised, and back.

    Attributes:
        multiple: Height and width of pictures are multiples of it.
        bounded: Whether what is denoised lies in -1..1, so that a sampler may hold it there.
        spread: Whether a picture has latents around a mean, so that training draws some of them.
    """

    multiple: int
    bounded: bool
    spread: bool

    def shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Return channels, height and width of the latents of pictures of a size in pixels."""
        ...

    def encode(self, pictures: Tensor, drawn: Tensor | None = None) -> Tensor:
        """Return latents, [rows, channels, latent_height, latent_width].

        Args:
            pictures: 0..1, [rows, height, width, 3].
            drawn: From N(0, 1), in the shape of the latents: how far from their mean they are, in
                deviations. None for the mean; not read where there is no spread.
        """
        ...

    def decode(self, latents: Tensor) -> Tensor:
        """Return pictures in 0..1, [rows, height, width, 3]."""
        ...


class PixelCodec(nn.Module):
    """Pixels in -1..1, blocks of them as channels: nothing is lost, and nothing is learnt.

    Args:
        block: Side of a block; 2 makes a quarter of the places with four times the channels.
        colours: 3, or 1 for grey pictures.

    Raises:
        ValueError: A block without pixels, or another number of colours.
    """

    bounded, spread = True, False

    def __init__(self, block: int = 1, colours: int = COLOURS):
        super().__init__()
        if block < 1:
            raise ValueError(f"block is {block}; expected 1 or more pixels.")
        if colours not in FORMS:
            raise ValueError(f"colours is {colours}; expected 1 for grey or 3.")
        self.multiple, self.colours = block, colours

    def shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Return channels, height and width of the latents of pictures of a size in pixels."""
        block = self.multiple
        return self.colours * block * block, height // block, width // block

    def encode(self, pictures: Tensor, drawn: Tensor | None = None) -> Tensor:
        """Return latents, [rows, colours * block ** 2, height / block, width / block]."""
        pixels = 2 * pictures.movedim(-1, 1) - 1  # [rows, 3, height, width]
        if self.colours == 1:
            pixels = pixels.mean(1, keepdim=True)
        return functional.pixel_unshuffle(pixels, self.multiple)

    def decode(self, latents: Tensor) -> Tensor:
        """Return pictures in 0..1, [rows, height, width, 3]; what is beyond is cut."""
        pixels = functional.pixel_shuffle(latents, self.multiple)
        pixels = pixels.expand(-1, COLOURS, -1, -1).movedim(1, -1)
        return ((pixels + 1) / 2).clamp(0, 1)


class VaeCodec(nn.Module):
    """The latents of a frozen VAE, shifted and scaled to a mean near 0 and a deviation near 1.

    Args:
        vae: diffusers' AutoencoderKL.
    """

    bounded, spread = False, True

    def __init__(self, vae: Any):
        super().__init__()
        self.vae = vae.requires_grad_(False)
        config: Mapping[str, Any] = vae.config
        self.multiple = 2 ** (len(config["block_out_channels"]) - 1)
        self.channels: int = config["latent_channels"]
        self.scale: float = config["scaling_factor"]
        self.shift: float = config.get("shift_factor") or 0.0

    def shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Return channels, height and width of the latents of pictures of a size in pixels."""
        return self.channels, height // self.multiple, width // self.multiple

    @torch.no_grad()
    def encode(self, pictures: Tensor, drawn: Tensor | None = None) -> Tensor:
        """Return latents, [rows, channels, latent_height, latent_width].

        Stable Diffusion was trained on drawn ones, as are MACS and diffusers' own examples.

        Args:
            pictures: 0..1, [rows, height, width, 3].
            drawn: From N(0, 1), in the shape of the latents; None for the mean of the VAE's.
        """
        pixels = 2 * pictures.movedim(-1, 1) - 1
        found = self.vae.encode(pixels).latent_dist
        latents = found.mean if drawn is None else found.mean + found.std * drawn
        return (latents - self.shift) * self.scale

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Return pictures in 0..1, [rows, height, width, 3]."""
        pixels = self.vae.decode(latents / self.scale + self.shift).sample.movedim(1, -1)
        return ((pixels + 1) / 2).clamp(0, 1)
