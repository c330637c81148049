"""What a training example sees: its own lips, another clip's, or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data_prep.clips.samples import Sample
from modalities.rates import PIECE_PICTURES
from modalities.vision.lips import LipEncoder
from tasks.avsr.sets.adapted_whisper import confidence_of, pad_windows
from tasks.avsr.training.config import AugmentOptions, SightOptions
from tasks.avsr.training.mouth_changes import change_pictures


@dataclass(frozen=True)
class SightExample:
    """One clip's; see `tasks.avsr.sets.adapted_whisper.Sight`, without the batch."""

    mask: Tensor
    lips: Tensor | None
    confidence: Tensor | None
    crops: Tensor | None


class SightSource:
    """Lip features of training clips, read once in several variants.

    Args:
        samples: Training clips.
        lips: The lip encoder; None where only crops are wanted.
        options: How often what is seen is not what is heard.
        augment: How pictures are changed.
        seed: Fixes how each variant of each clip is changed.
        crops: Whether crops are wanted.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        lips: LipEncoder | None,
        options: SightOptions,
        augment: AugmentOptions,
        seed: int,
        crops: bool = False,
    ):
        self.samples = samples
        self.options = options
        self.crops = crops
        self.features: list[list[tuple[Tensor, Tensor]]] = []
        if lips is not None:
            changes = _harden(augment, options.harder)
            for number, sample in enumerate(samples):
                drawn = [np.random.default_rng([seed, number, v]) for v in range(options.variants)]
                self.features.append([read_changed(sample, lips, changes, r) for r in drawn])

    def draw(self, index: int, first: int, random: np.random.Generator) -> SightExample:
        """Return what is seen with a clip.

        Args:
            index: Place of the clip among the samples.
            first: Frame that its sound begins with.
            random: Draws.
        """
        options, own = self.options, self.samples[index]
        fate = random.random()
        count = len(own.crops)
        if fate < options.dropout or not count:
            return self._cut(index, 0, np.zeros(count, bool), random)
        if fate < options.dropout + options.wrong:
            index = (index + int(random.integers(1, len(self.samples)))) % len(self.samples)
            first = int(random.integers(11))
        mask = self.samples[index].clip.mask().copy()
        for _ in range(int(random.integers(options.blanks + 1))):
            length = int(random.integers(1, options.blank_frames + 1))
            start = int(random.integers(max(1, len(mask) - length)))
            mask[start : start + length] = False
        still = None
        if random.random() < options.frozen:
            still = int(random.integers(len(mask) // 2))
        return self._cut(index, first, mask, random, still)

    def _cut(
        self,
        index: int,
        first: int,
        mask: np.ndarray,
        random: np.random.Generator,
        still: int | None = None,
    ) -> SightExample:
        """Cut the window out; from frame `still` on the picture stands still."""
        order = np.arange(len(mask))
        if still is not None:
            order[still:] = still
        order = order[first:]

        def window(rows: Tensor) -> Tensor:
            return pad_windows(rows[torch.from_numpy(order)][None])[0]

        crops = torch.from_numpy(self.samples[index].crops) if self.crops else None
        lips = confidence = None
        if self.features:
            choices = self.features[index]
            lips, confidence = choices[int(random.integers(len(choices)))]
            lips, confidence = window(lips.float()), window(confidence)
        seen = pad_windows(torch.from_numpy(mask[first:])[None])[0]
        return SightExample(seen, lips, confidence, None if crops is None else window(crops))

    @staticmethod
    def collate(examples: Sequence[SightExample]) -> dict[str, Any]:
        """Stack examples, by the names of `Sight`."""
        batch: dict[str, Any] = {}
        for name in ("mask", "lips", "confidence", "crops"):
            rows = [getattr(example, name) for example in examples]
            if rows[0] is not None:
                batch[name] = torch.stack(rows)
        return batch


@torch.no_grad()
def read_changed(
    sample: Sample, lips: LipEncoder, augment: AugmentOptions, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Read lips from pictures that were changed.

    Returns:
        Features, float16 [frames, dim], and confidence, [frames].
    """
    if not len(sample.crops):
        return torch.zeros(PIECE_PICTURES, lips.dim).half(), torch.zeros(PIECE_PICTURES)
    options = lips.network.options
    pictures, _, mask = change_pictures(sample.crops, sample.clip.mask(), options, augment, random)
    features = lips.network(pictures[None], torch.from_numpy(mask)[None])
    return features[0].half(), confidence_of(lips, features)[0]


def _harden(augment: AugmentOptions, by: float) -> AugmentOptions:
    """Change pictures more; never their pace, which would part lips from sound."""
    return AugmentOptions(
        shift=augment.shift * by,
        jitter=augment.jitter * by,
        zoom=min(0.3, augment.zoom * by),
        turn=augment.turn * by,
        flip=augment.flip,
        pace=0.0,
        contrast=min(0.8, augment.contrast * by),
        noise=augment.noise * by,
        blanks=round(augment.blanks * by),
        blank_frames=augment.blank_frames,
        erase=min(1.0, augment.erase * by),
        blur=augment.blur * by,
        codec=min(1.0, augment.codec * by),
    )
