"""Look at a set while it is trained: word errors on a few clips in each kind of noise."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from data_prep.clips.samples import Sample
from modalities.rates import PIECE_SAMPLES
from tasks.avsr.sets.adapted_whisper import AdaptedWhisper, Fusion
from tasks.avsr.training.config import SET_DB
from tasks.avsr.training.noise_maker import NoiseMaker, Noisy
from tasks.scoring.normalisers import strip_punctuation
from tasks.scoring.word_errors import count_errors


def measure_set(
    whisper: AdaptedWhisper,
    fusion: Fusion | nn.Module | None,
    samples: Sequence[Sample],
    noise: NoiseMaker,
    clips: int,
) -> dict[str, float]:
    """Measure word error rates, in percent.

    Args:
        whisper: With the set on.
        fusion: The fusion module that is trained with it; None for a set that hears only.
        samples: Validation clips.
        noise: What makes the training's noise; its levels are -5 and 5 dB here.
        clips: How many are looked at in each kind.

    Returns:
        By kind of noise and level; of clean sound and the levels with another clip's face too,
        and without a face, where the set has a fusion.
    """
    chosen = samples[: clips or None]
    found: dict[str, float] = {}
    clean = [Noisy(sample.waveform, sample.waveform) for sample in chosen]
    conditions = {"clean": clean}
    for level in SET_DB:
        for category in noise.options.categories:
            conditions[f"{category} {level:g} dB"] = [
                noise.at(sample.waveform, category, level, [9, number])
                for number, sample in enumerate(chosen)
            ]
    for name, noisy in conditions.items():
        found[name] = _measure(whisper, fusion, chosen, noisy, 0)
    if fusion is None:
        return found
    for name, noisy in conditions.items():
        found[f"{name}, no face"] = _measure(whisper, None, chosen, noisy, 0)
        found[f"{name}, wrong face"] = _measure(whisper, fusion, chosen, noisy, len(chosen) // 2)
    return found


def _measure(
    whisper: AdaptedWhisper,
    fusion: Fusion | nn.Module | None,
    samples: Sequence[Sample],
    noisy: Sequence[Noisy],
    shift: int,
) -> float:
    said: list[str] = []
    for start in range(0, len(samples), 20):
        batch = samples[start : start + 20]
        mel = whisper.hear([n.waveform[:PIECE_SAMPLES] for n in noisy[start : start + 20]])
        sight = None
        if fusion is not None:
            faces = [samples[(start + row + shift) % len(samples)] for row in range(len(batch))]
            sight = whisper.look([f.crops for f in faces], [f.clip.mask() for f in faces])
        states, _ = whisper.encode(mel, sight, fusion)  # type: ignore[arg-type]
        said += [whisper.spell(row) for row in whisper.decode(states)]
    spoken = [sample.clip.text or "" for sample in samples]
    errors = count_errors(spoken, said, strip_punctuation)
    return 100 * int(errors.edits.sum()) / max(1, int(errors.words.sum()))


def count_trained(module: nn.Module) -> int:
    """Count the parameters that are trained."""
    return sum(int(np.prod(p.shape)) for p in module.parameters() if p.requires_grad)
