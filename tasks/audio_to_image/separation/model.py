"""A separator in training: mixes references, takes them apart, and says how badly."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from modalities.separation.network import SeparationNetwork
from tasks.audio_to_image.separation.config import LossOptions
from tasks.audio_to_image.separation.losses import alignment_loss, mixit_loss, ranking_loss
from tasks.audio_to_image.separation.ranking import LIKENESS, embed_sounds, weigh

if TYPE_CHECKING:
    from modalities.audio_text.models import AudioText

Batch = dict[str, Tensor]
START = 1 / 0.07  # of what cosines are multiplied by
HOTTEST = 100.0


class SeparationModel(nn.Module):
    """The network with what it is taught by.

    Args:
        network: Learns.
        options: Weights of the losses.
        audio_text: Frozen; None where no loss needs it.
        texts: Embeddings of all labels, [labels, dim]; None without `audio_text`.
        parts: How many batches or parts of batches a training learns from.
        significance: By what the ranking loss ranks, one of `SIGNIFICANCES`.
    """

    learnt: Tensor

    def __init__(
        self,
        network: SeparationNetwork,
        options: LossOptions,
        audio_text: "AudioText | None" = None,
        texts: Tensor | None = None,
        parts: int = 1,
        significance: str = LIKENESS,
    ):
        super().__init__()
        self.network, self.options, self.parts = network, options, parts
        self.audio_text, self.significance = audio_text, significance
        self.scale = nn.Parameter(torch.tensor(math.log(START)), options.alignment > 0)
        # In checkpoints, so that a training that goes on knows how far it is.
        self.register_buffer("learnt", torch.zeros((), dtype=torch.int64))
        self.register_buffer("texts", texts, persistent=False)

    def forward(self, batch: Batch) -> Batch:
        """Return the losses of a batch, each a mean over its mixtures.

        Args:
            batch: "references", [batch, mixtures, samples]; "labels", [batch, texts], numbers of
                labels, -1 where there is none.
        """
        progress = int(self.learnt) / max(1, self.parts - 1)
        if self.training:
            self.learnt += 1
        references = batch["references"]
        mixture = references.sum(1)
        sources = self.network(mixture)
        options = self.options
        missed = mixit_loss(sources, references, options.split, options.most_db)
        found = {"reconstruction_loss": missed.mean()}
        if options.listens:
            found |= self._listen(sources, mixture, batch["labels"])
        return self._sum(found, progress)

    def _listen(self, sources: Tensor, mixture: Tensor, labels: Tensor) -> Batch:
        """Return the losses that need embeddings: those of sources and mixtures, in one pass."""
        assert self.audio_text is not None
        options, count = self.options, sources.shape[1]
        waves = torch.cat([sources, mixture[:, None]], 1).flatten(0, 1)
        rate_hz = self.network.options.rate_hz
        sounds = embed_sounds(self.audio_text, waves, rate_hz).float()
        sounds = sounds.unflatten(0, (-1, count + 1))  # [batch, sources + 1, dim]
        sounds, whole = sounds[:, :-1], sounds[:, -1]
        found = {}
        if options.alignment:
            texts = self.get_buffer("texts")[labels.clamp_min(0)]
            scale = self.scale.exp().clamp_max(HOTTEST)
            found["alignment_loss"] = alignment_loss(sounds, texts, labels >= 0, scale).mean()
        if options.ranking:
            likeness = torch.einsum("bsd,bd->bs", sounds, whole)
            energy = sources.float().square().sum(-1)
            significance = weigh(likeness, energy, self.significance)
            found["ranking_loss"] = ranking_loss(significance, options.temperature).mean()
        return found

    def _sum(self, found: Batch, progress: float) -> Batch:
        options = self.options
        own, others = options.parts(progress)
        loss = own * options.reconstruction * found["reconstruction_loss"]
        for name in ("alignment", "ranking"):
            if f"{name}_loss" in found:
                loss = loss + others * getattr(options, name) * found[f"{name}_loss"]
        return {"loss": loss, **{name: value.detach() for name, value in found.items()}}
