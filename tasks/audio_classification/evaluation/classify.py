"""What a model makes of labelled sounds, and which classes it tells."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tasks.audio_classification.model import SoundModel
from tasks.audio_classification.windows import SoundSource

BATCH = 32  # of windows, where nothing is trained


@torch.no_grad()
def classify_sounds(
    model: SoundModel,
    source: SoundSource,
    classes: Sequence[str],
    kept: dict[int, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Classify sounds; of several windows the log-probabilities are averaged.

    Args:
        model: Takes the windows of the source.
        source: Sounds, whose labels are among the classes.
        classes: Names, in the order of the model's logits.
        kept: What the encoder makes of sounds where that stays the same, by their index, [windows,
            dim]; what is missing is added. None computes it anew.

    Returns:
        Log-probabilities, [sounds, classes], and the right classes, [sounds]; on the CPU.
    """
    device = next(model.head.parameters()).device
    found, labels = [], []
    for start in range(0, len(source), BATCH):
        indices = range(start, min(start + BATCH, len(source)))
        pooled = (
            pool_sounds(model, source, indices)
            if kept is None
            else [pool_sound(model, source, index, kept) for index in indices]
        )
        logits = model.head(torch.cat(pooled).to(device)).log_softmax(-1)
        counts = [len(rows) for rows in pooled]
        found += [rows.mean(0) for rows in logits.split(counts)]
        labels += [classes.index(source.sounds[index].label) for index in indices]
    return torch.stack(found).cpu(), torch.tensor(labels)


def pool_sound(
    model: SoundModel, source: SoundSource, index: int, kept: dict[int, Tensor]
) -> Tensor:
    """Return what the untouched encoder makes of a sound, [windows, dim].

    Args:
        model: Whose encoder stays as it is.
        source: Sounds.
        index: Number of the sound; where it is missing in `kept`, those after it are added too.
        kept: By the sounds' numbers, on the CPU.
    """
    if index not in kept:
        indices = range(index, min(index + BATCH, len(source)))
        for place, rows in zip(indices, pool_sounds(model, source, indices), strict=True):
            kept[place] = rows.cpu()
    return kept[index]


@torch.no_grad()
def pool_sounds(model: SoundModel, source: SoundSource, indices: Sequence[int]) -> list[Tensor]:
    """Encode and pool sounds, each [windows, dim], on the model's device."""
    device = next(model.head.parameters()).device
    windows = [source.windows(index) for index in indices]
    inputs = torch.cat([w.inputs for w in windows]).split(BATCH)
    masks = torch.cat([w.mask for w in windows]).split(BATCH)
    pooled = [model.pool(i.to(device), m.to(device)) for i, m in zip(inputs, masks, strict=True)]
    return list(torch.cat(pooled).split([len(w.inputs) for w in windows]))
