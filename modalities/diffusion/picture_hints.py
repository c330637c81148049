"""Tokens that say roughly what a picture shows, by which a denoiser learns to be told anything."""

import torch
from torch import Tensor, nn

HEIGHT, ACROSS = 4, 2  # places at which a strip is looked at
WIDTH = 32  # channels of the first layer
CODE = 8  # numbers of a token that pass


class PictureHints(nn.Module):
    """Makes a few tokens of a picture, one for each strip of it, through a narrow and noisy place.

    A denoiser that learns from pictures alone is never told anything, and what it would be told
    through its cross-attentions moves nothing. Told about its own pictures in training, it learns
    to follow tokens, and that one token is about one place; this module is thrown away afterwards.
    Narrow and noisy, as tokens should say what is shown, and not each pixel.

    Args:
        channels: How many latents have.
        tokens: How many are made: of so many strips, from the left to the right.
        token_dim: Their width.
        noise: Deviation of what is added to numbers between -1 and 1.

    Source:
        Preechakul et al., Diffusion Autoencoders (2022), arXiv 2111.15640, of which this is a small
        form: what is decoded is a denoiser that reads a code of the picture.
    """

    def __init__(self, channels: int, tokens: int, token_dim: int, noise: float = 0.3):
        super().__init__()
        self.tokens, self.noise = tokens, noise
        self.look = nn.Sequential(
            nn.Conv2d(channels, WIDTH, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(WIDTH, 2 * WIDTH, 3, stride=2, padding=1),
            nn.GELU(),
            nn.AdaptiveAvgPool2d((HEIGHT, ACROSS * tokens)),
        )
        self.code = nn.Sequential(nn.Linear(2 * WIDTH * HEIGHT * ACROSS, CODE), nn.Tanh())
        self.tell = nn.Sequential(nn.Linear(CODE, token_dim), nn.LayerNorm(token_dim))
        self.places = nn.Parameter(0.5 * torch.randn(tokens, CODE))

    def forward(self, latents: Tensor) -> Tensor:
        """Return tokens, [rows, tokens, token_dim].

        Args:
            latents: Pictures without noise, as latents, [rows, channels, height, width].
        """
        strips = self.look(latents).unflatten(3, (self.tokens, ACROSS))
        code = self.code(strips.movedim(3, 1).flatten(2))
        if self.training:
            code = code + self.noise * torch.randn_like(code)
        return self.tell(code + self.places)
