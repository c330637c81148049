"""What an encoder makes of sounds, pooled: computed each time, or once where it stays the same."""

from collections.abc import Sequence

import torch
from torch import Tensor

from modalities.tensor_hash import hash_tensors
from tasks.audio_classification.model import SoundModel
from tasks.audio_classification.windows import SoundSource
from tasks.training.kept_features import KeptFeatures

BATCH = 32  # of windows, where nothing is trained


class PooledSounds:
    """Pooled features of the sounds of a part, which an untouched encoder makes once.

    They are kept by what is heard, not by name: a sound that has changed is another one, and one
    that is in two parts or data sets is the same.

    Args:
        model: Whose encoder stays as it is.
        source: The sounds.
        features: Keeps them.
    """

    def __init__(self, model: SoundModel, source: SoundSource, features: KeptFeatures):
        self.model, self.source, self.features = model, source, features
        self._keys: dict[int, str] = {}

    def of(self, index: int) -> Tensor:
        """Return what is made of a sound, [windows, dim], on the CPU.

        Where it is missing, that of its neighbours is made too, always in the same batches: a
        training that was killed and goes on makes the same to the last bit.
        """
        key = self._key(index)
        if key not in self.features:
            first = index - index % BATCH
            indices = range(first, min(first + BATCH, len(self.source)))
            pooled = pool_sounds(self.model, self.source, indices)
            for place, rows in zip(indices, pooled, strict=True):
                self.features.add(self._key(place), {"pooled": rows})
        return self.features.of(key, dict)["pooled"]

    def _key(self, index: int) -> str:
        if index not in self._keys:
            windows = self.source.windows(index)
            self._keys[index] = hash_tensors({"inputs": windows.inputs, "mask": windows.mask})
        return self._keys[index]


@torch.no_grad()
def pool_sounds(model: SoundModel, source: SoundSource, indices: Sequence[int]) -> list[Tensor]:
    """Encode and pool sounds, each [windows, dim], on the model's device."""
    device = next(model.head.parameters()).device
    windows = [source.windows(index) for index in indices]
    inputs = torch.cat([w.inputs for w in windows]).split(BATCH)
    masks = torch.cat([w.mask for w in windows]).split(BATCH)
    pooled = [model.pool(i.to(device), m.to(device)) for i, m in zip(inputs, masks, strict=True)]
    return list(torch.cat(pooled).split([len(w.inputs) for w in windows]))
