"""What is trained to paint, and its loss: how well noise in pictures is told."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from modalities.diffusion.audio_adapter import AudioAdapter
from modalities.diffusion.decoupled import Prompt
from modalities.diffusion.denoiser import Denoiser
from modalities.diffusion.measure.contract import Pairs
from modalities.diffusion.measure.weights import weigh
from modalities.diffusion.picture_hints import PictureHints
from modalities.diffusion.schedule import path_of
from tasks.training.measures import MeasureOptions

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
        measure: How much examples count, and which noise goes with which; None for all alike, and
            noise as it was drawn.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        adapter: AudioAdapter | None,
        hints: PictureHints | None = None,
        measure: MeasureOptions | None = None,
    ):
        super().__init__()
        self.measure = measure or MeasureOptions()
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
        """Return the mean loss over examples, "loss"; where they are weighted, more about it."""
        weight = self.measure.pair_weight
        groups = [self._encode(group) for group in batch]
        errors = torch.cat([self._errors(*group, silent=False) for group in groups])
        logs = torch.cat([weight.log_weights(self._pairs(*group)) for group in groups])
        found = weigh(errors, logs, weight.normalised)
        return {"loss": found["loss"]} if self.measure.weight == "ones" else found

    def losses(self, group: Group, silent: bool = False) -> Tensor:
        """Return the squared error of what is told of each example's noise, [rows].

        Args:
            group: Examples of one size.
            silent: Whether all embeddings are taken for none.
        """
        return self._errors(*self._encode(group), silent)

    def _encode(self, group: Group) -> tuple[Group, Tensor]:
        """Return a group, its noise paired anew in training, and its latents."""
        codec: Any = self.denoiser.codec
        latents = codec.encode(group["pictures"].float() / 255, group.get("drawn"))
        if self.training:
            order = self.measure.pairing.order(group["noise"], latents)
            if order is not None:
                group = {**group, "noise": group["noise"][order.to(latents.device)]}
        return group, latents

    def _pairs(self, group: Group, latents: Tensor) -> Pairs:
        noise = self.denoiser.noise
        return Pairs(group["noise"], latents, noise.levels_of(group["times"]), path_of(noise))

    def _errors(self, group: Group, latents: Tensor, silent: bool) -> Tensor:
        denoiser: Any = self.denoiser
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
        text = torch.where(hinted[:, None, None], tokens, prompt.text)
        return Prompt(text, None, prompt.vector)
