"""Mixtures of rendered sounds, with their sources and a picture of what sounds."""

import numpy as np

from data_prep.mixtures.known import KnownMixture
from data_prep.mixtures.scenes.icons import MOST, render_icon, render_icons
from data_prep.mixtures.scenes.sounds import SOUNDS, render_sound
from data_prep.noise.mixing import mix_sources
from modalities.rates import RATE_HZ

STEPS_DB = (1.0, 6.0)  # how much less loud than the one before a source is
LOUDNESS = (0.05, 0.15)  # root mean square of the loudest
TWIST = 29  # apart from other uses of a seed


def render_mixture(
    seed: int, number: int, most_sources: int = MOST, duration_s: float = 4.0, size: int = 64
) -> KnownMixture:
    """Render one mixture; the same arguments, the same one to the bit.

    Its labels are names of `sounds.SOUNDS`. Its picture has all icons side by side in the order of
    the sources, the loudest first; icons of single sources are drawn anew.

    Args:
        seed: Another number, other mixtures.
        number: Which of them.
        most_sources: One to so many kinds sound at once, 1 to 3.
        duration_s: Length in seconds, half a second or more.
        size: Edge of the pictures in pixels, at least 32 (16 for single sounds).

    Raises:
        ValueError: `most_sources`, the length or the size is out of range.
    """
    if not 1 <= most_sources <= MOST:
        raise ValueError(f"most_sources is {most_sources}; expected 1 to {MOST}.")
    random = np.random.default_rng((seed, number, TWIST))
    count = int(random.integers(1, most_sources + 1))
    kinds = tuple(map(str, random.choice(list(SOUNDS), count, replace=False)))
    samples = round(duration_s * RATE_HZ)
    sounds = [render_sound(kind, samples, random) for kind in kinds]
    sounds[0] = sounds[0] * np.float32(random.uniform(*LOUDNESS))
    levels_db = (0.0, *np.round(-np.cumsum(random.uniform(*STEPS_DB, count - 1)), 3).tolist())
    waveform, sources = mix_sources(sounds, levels_db)
    return KnownMixture(
        waveform,
        tuple(sources),
        kinds,
        levels_db,
        render_icons(kinds, random, size),
        tuple(render_icon(kind, random, size) for kind in kinds),
    )
