"""What a model makes of labelled sounds, and which classes it tells."""

from collections.abc import Sequence

import torch
from torch import Tensor

from tasks.audio_classification.model import SoundModel
from tasks.audio_classification.pooled_sounds import BATCH, PooledSounds, pool_sounds
from tasks.audio_classification.windows import SoundSource


@torch.no_grad()
def classify_sounds(
    model: SoundModel,
    source: SoundSource,
    classes: Sequence[str],
    kept: PooledSounds | None = None,
) -> tuple[Tensor, Tensor]:
    """Classify sounds; of several windows the log-probabilities are averaged.

    Args:
        model: Takes the windows of the source.
        source: Sounds, whose labels are among the classes.
        classes: Names, in the order of the model's logits.
        kept: What the encoder makes of them, where that stays the same. None computes it anew.

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
            else [kept.of(index) for index in indices]
        )
        logits = model.head(torch.cat(pooled).to(device)).log_softmax(-1)
        counts = [len(rows) for rows in pooled]
        found += [rows.mean(0) for rows in logits.split(counts)]
        labels += [classes.index(source.sounds[index].label) for index in indices]
    return torch.stack(found).cpu(), torch.tensor(labels)
