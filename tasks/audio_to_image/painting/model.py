"""What is trained to paint, and its loss: how well noise in pictures is told."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from modalities.diffusion.audio_adapter import AudioAdapter
from modalities.diffusion.decoupled import Prompt
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.picture_hints import PictureHints

# Examples of one size of pictures:
#   pictures    uint8, [rows, height, width, 3]
#   noise       [rows, channels, latent_height, latent_width]
#   times       [rows]
#   drawn       as noise, how far latents are from their mean; not there where they have no spread
#   hinted      [rows], bool, whether the denoiser is told of a picture; not there without hints
#   embeddings  [rows, sources, dim], zeros where they are dropped; not there in stage "base"
Group = dict[str, Tensor]
Batch = list[Group]


class PaintingModel(nn.Module):
    """A denoiser that learns, or a frozen one with an adapter that does.

    Args:
        denoiser: Learns where there is no adapter.
        adapter: Put on it, or None.
        hints: Tell a denoiser that learns about its own pictures; None for none.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        adapter: AudioAdapter | None,
        hints: PictureHints | None = None,
    ):
        super().__init__()
        self.denoiser, self.adapter, self.hints = denoiser, adapter, hints
        self.denoiser.requires_grad_(adapter is None)
        self.denoiser.codec.requires_grad_(False)

    def train(self, mode: bool = True) -> "PaintingModel":
        """Switch what learns; a frozen denoiser stays in evaluation mode."""
        super().train(mode)
        if self.adapter is not None:
            self.denoiser.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return the mean loss over examples, "loss"."""
        rows = sum(len(group["times"]) for group in batch)
        return {"loss": torch.cat([self.losses(group) for group in batch]).sum() / rows}

    def losses(self, group: Group, silent: bool = False) -> Tensor:
        """Return the squared error of what is told of each example's noise, [rows].

        Args:
            group: Examples of one size.
            silent: Whether all embeddings are taken for none.
        """
        denoiser: Any = self.denoiser
        latents = denoiser.codec.encode(group["pictures"].float() / 255, group.get("drawn"))
        noisy = denoiser.noise.add(latents, group["noise"], group["times"])
        if self.adapter is None:
            prompt = self._hint(latents, group.get("hinted"))
        else:
            embeddings = group["embeddings"]
            embeddings = torch.zeros_like(embeddings) if silent else embeddings
            prompt = self.adapter.prompt(denoiser, embeddings)
        told = denoiser(noisy, group["times"], prompt)
        target = denoiser.noise.target(latents, group["noise"], group["times"])
        errors = functional.mse_loss(told.float(), target, reduction="none")
        return errors.flatten(1).mean(1)

    def _hint(self, latents: Tensor, hinted: Tensor | None) -> Prompt:
        """Tell of some pictures what they show, and nothing of the others."""
        prompt = self.denoiser.prompt(len(latents))
        if self.hints is None or hinted is None:
            return prompt
        tokens = self.hints(latents).to(prompt.text)
        return Prompt(torch.where(hinted[:, None, None], tokens, prompt.text))
