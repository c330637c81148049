"""Noise that changes while somebody speaks: stretches of several noises, one after the other."""

from collections.abc import Sequence

import numpy as np

from data_prep.noise.levels import measure_power


def join_noises(
    noises: Sequence[np.ndarray], places: Sequence[int], recipe: str = "rms"
) -> np.ndarray:
    """Put a stretch of each noise after the other, all of the same power.

    Args:
        noises: What is heard in turn, each as long as the whole, [samples], 16 kHz.
        places: Where each but the first begins, samples, rising.
        recipe: How power is measured, see `data_prep.noise.levels.RECIPES`.

    Returns:
        float32 [samples]; each stretch has power 1 over its length.

    Raises:
        ValueError: The noises are not equally long, the places are not one fewer, do not rise or
            lie outside, or a stretch is silent.
    """
    lengths = {len(noise) for noise in noises}
    if len(lengths) != 1:
        raise ValueError(
            f"The noises have {sorted(lengths) or 'no'} samples; expected one or more of the same "
            "length."
        )
    ends = [0, *places, lengths.pop()]
    rising = all(start < stop for start, stop in zip(ends, ends[1:], strict=False))
    if len(places) != len(noises) - 1 or not rising:
        raise ValueError(
            f"{len(noises)} noises of {ends[-1]} samples change at {list(places)}; expected "
            f"{len(noises) - 1} places that rise, between 0 and the end."
        )
    stretches = [
        noise[start:stop] for noise, start, stop in zip(noises, ends, ends[1:], strict=False)
    ]
    powers = [measure_power(stretch, recipe) for stretch in stretches]
    if not min(powers) > 0:
        raise ValueError(
            f"Stretch {int(np.argmin(powers)) + 1} of the noise is silent, so that it has no "
            "level; take another part."
        )
    scaled = [part / np.sqrt(power) for part, power in zip(stretches, powers, strict=True)]
    return np.concatenate(scaled).astype(np.float32)


def label_stretches(
    labels: Sequence[int], places: Sequence[int], samples: int, frame_samples: int
) -> np.ndarray:
    """Say which stretch each frame of an encoder belongs to.

    Args:
        labels: One for each stretch.
        places: Where each stretch but the first begins, samples, rising.
        samples: How long the whole is.
        frame_samples: Samples of a frame; one that holds a change belongs to what begins there.

    Returns:
        The label of each frame that holds sound, int64 [frames].
    """
    starts = np.arange(-(-samples // frame_samples)) * frame_samples
    which = np.searchsorted(np.asarray(places), starts + frame_samples - 1, side="right")
    return np.asarray(labels, np.int64)[which]
