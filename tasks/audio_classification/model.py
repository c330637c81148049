"""A frozen audio encoder with adapters, pooling over its tokens, and a head."""

from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from fusion.adapters.interface import Adapters, attach
from modalities.audio.audio_encoder import AudioEncoder
from modalities.encoder import Features
from tasks.audio_classification.card import Counts
from tasks.audio_classification.config import FULL, ClassificationConfig

ADAPTER = "sounds"


class Head(nn.Module):
    """The encoder's last normalisation, made trainable, and a linear layer.

    The gain and bias of the normalisation come after pooling, which is the same as before it; so
    what comes before them is constant while the encoder is, and can be kept.

    Args:
        norm: The encoder's last.
        classes: How many.

    Source:
        PETL-AST (arXiv 2312.03694): d classes + classes + 2 d parameters.
    """

    def __init__(self, norm: nn.LayerNorm, classes: int):
        super().__init__()
        self.gain = nn.Parameter(norm.weight.detach().clone())
        self.bias = nn.Parameter(norm.bias.detach().clone())
        self.linear = nn.Linear(len(norm.weight), classes)

    def forward(self, pooled: Tensor) -> Tensor:
        """Classify, [batch, dim] -> [batch, classes]."""
        return self.linear(pooled * self.gain + self.bias)


class SoundModel(nn.Module):
    """Tells the class of windows.

    Args:
        encoder: Frozen; adapters are put on it.
        classes: How many.
        config: Says which.

    Raises:
        ValueError: No such method, option or role; pooling that the encoder has no tokens for.
    """

    def __init__(self, encoder: AudioEncoder, classes: int, config: ClassificationConfig):
        super().__init__()
        if config.pooling == "special" and not encoder.special_tokens:
            raise ValueError(
                f"{encoder.name} has no special tokens to pool over; take pooling 'mean'."
            )
        self.encoder = encoder
        self.config = config
        self.size = sum(p.numel() for p in encoder.parameters())
        self.adapters = attach_method(encoder, config)
        if config.method == FULL:
            encoder.requires_grad_(True)
        encoder.final_norm.requires_grad_(False)  # its trained copy is in the head
        self.head = Head(encoder.final_norm, classes)

    @property
    def untouched(self) -> bool:
        """Whether the encoder stays what it was, so that what it makes can be kept."""
        return not self.config.method

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the loss of a batch: "label" [batch], and "pooled" or "inputs" and "mask"."""
        return {"loss": functional.cross_entropy(self.logits(batch), batch["label"])}

    def logits(self, batch: dict[str, Tensor]) -> Tensor:
        """Classify, [batch, classes]."""
        pooled = batch["pooled"] if "pooled" in batch else self.pool(batch["inputs"], batch["mask"])
        return self.head(pooled)

    def pool(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Encode and pool windows that `AudioEncoder.prepare` made, [batch, dim]."""
        features = self.encoder.states(inputs, mask)
        norm = self.encoder.final_norm
        values = functional.layer_norm(features.values, norm.normalized_shape, eps=norm.eps)
        return pool(Features(values, features.mask, features.rate_hz), self._special())

    def _special(self) -> int:
        return self.encoder.special_tokens if self.config.pooling == "special" else 0

    def counts(self) -> Counts:
        """Count parameters."""
        method = norms = 0
        if self.config.method == FULL:
            method = sum(p.numel() for p in self.encoder.parameters() if p.requires_grad)
        elif self.adapters is not None:
            norms = sum(map(self.adapters.count_part, self.adapters.parts(ADAPTER)[1:]))
            trained = sum(p.numel() for p in self.adapters.parameters(ADAPTER))
            method = trained - norms
        head = sum(p.numel() for p in self.head.parameters())
        return Counts(method, norms, head, self.size)


def attach_method(encoder: nn.Module, config: ClassificationConfig) -> Adapters | None:
    """Put the method of an experiment on an encoder, and trained normalisations beside it.

    Raises:
        ValueError: No such method, option or role.
    """
    if config.method in ("", FULL):
        return None
    options: dict[str, Any] = dict(config.options)
    adapters = attach(encoder, config.method, options, config.where or None, name=ADAPTER)
    if config.norms:
        [part] = adapters.parts(ADAPTER)
        beside = {site.norm for site in adapters.sites(part) if site.norm}
        if not beside:
            raise ValueError(
                f"Method {config.method!r} lies beside no normalisation; leave 'norms' out."
            )
        attach(encoder, "norm_tuning", where=sorted(beside), name=ADAPTER)
    return adapters


def pool(features: Features, special: int = 0) -> Tensor:
    """Average over tokens.

    Args:
        features: [batch, tokens, dim].
        special: Take so many first tokens alone; 0 takes all that are real.

    Returns:
        [batch, dim].
    """
    if special:
        return features.values[:, :special].mean(1)
    weights = features.mask.unsqueeze(-1).to(features.values.dtype)
    return (features.values * weights).sum(1) / weights.sum(1).clamp_min(1)


def spec_augment(
    inputs: Tensor, frequency: int, time: int, random: np.random.Generator, axis: int = -1
) -> Tensor:
    """Blank a stretch of bins and one of frames of a spectrogram, with its mean.

    Args:
        inputs: [..., frames, bins], or with bins on the axis before the last.
        frequency: Largest number of bins, 0 for none; one bin is left at least.
        time: Largest number of frames, 0 for none; one frame is left at least.
        random: Draws where the stretches begin and how long they are. A batch is prepared in a
            thread of its own while the model draws from torch's one generator for all threads, so
            that is not to be used here.
        axis: -1 or -2, that of the bins.

    Returns:
        A blanked copy.

    Source:
        Park et al. (2019, arXiv 1904.08779), as AST's authors use it.
    """
    changed, mean = inputs.clone(), inputs.mean()
    for dim, widest in ((axis, frequency), (-3 - axis, time)):
        width = min(int(random.integers(widest + 1)), changed.shape[dim] - 1)
        start = int(random.integers(changed.shape[dim] - width + 1))
        changed.narrow(dim, start, width).fill_(mean)
    return changed
