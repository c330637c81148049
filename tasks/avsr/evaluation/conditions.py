"""In what noise clips are heard: kinds of noise, their levels, and one scene for each clip."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from data_prep.clips.manifest import Clip
from data_prep.noise import Recordings, Scene, draw_scene
from data_prep.noise.scenes import BABBLE_VOICES

CLEAN = "clean"


@dataclass(frozen=True)
class NoiseSource:
    """A kind of noise, and what it is made of.

    Attributes:
        name: As results call it; the category's own, or one that says more.
        category: babble, sidespeaker, music or natural.
        recordings: To choose from.
        rooms: Impulse responses, of which one is chosen; none for no room.
        voices: How many speak at once in babble.
    """

    name: str
    category: str
    recordings: Recordings
    rooms: tuple[Path, ...] = ()
    voices: int = BABBLE_VOICES


@dataclass(frozen=True)
class Cell:
    """One condition at one level, which rates are given for.

    Attributes:
        condition: Name of a `NoiseSource`, or "clean".
        category: Category of the noise; None for clean speech.
        snr_db: Signal-to-noise ratio; None for clean speech.
    """

    condition: str
    category: str | None = None
    snr_db: float | None = None

    @property
    def level(self) -> str:
        """As it is written: "-5 dB", or "clean"."""
        return CLEAN if self.snr_db is None else f"{self.snr_db:g} dB"


def lay_out_cells(sources: Sequence[NoiseSource], snr_db: Sequence[float]) -> list[Cell]:
    """Return clean speech, then each noise from the loudest to the faintest.

    Args:
        sources: Kinds of noise.
        snr_db: Signal-to-noise ratios.

    Raises:
        ValueError: Two sources have one name, one is called "clean" or of no known category, or a
            ratio is no number.
    """
    names = [source.name for source in sources]
    if len(set(names)) < len(names) or CLEAN in names:
        raise ValueError(
            f"Conditions are called {', '.join(names)}; expected names that differ, none of them "
            f"{CLEAN!r}. Give them names."
        )
    for source in sources:
        source.recordings.files(source.category)  # knows the categories
    if not all(math.isfinite(level) for level in snr_db):
        raise ValueError(f"snr_db is {list(snr_db)}; expected decibels. Clean speech is always in.")
    levels = sorted(set(map(float, snr_db)))
    noisy = [Cell(source.name, source.category, level) for source in sources for level in levels]
    return [Cell(CLEAN), *noisy]


def draw_noise(
    clip: Clip, source: NoiseSource, snr_db: float, samples: int, seed: int, recipe: str
) -> Scene:
    """Choose the noise of a clip: the same recordings at the same place for every level.

    It depends on the clip's id, the source and the seed alone, so that other clips or conditions
    beside them change nothing.

    Args:
        clip: Whose own voice is not mixed with itself; its media is the path of its recording.
        source: Kind of noise.
        snr_db: Signal-to-noise ratio.
        samples: Length of the clip.
        seed: The evaluation's; another one draws other recordings and places.
        recipe: How power is measured.

    Raises:
        ValueError: Too few recordings.
    """
    # By its name where it came from elsewhere, as a copy in a folder of voices.
    own = clip.media if Path(clip.media) in source.recordings.voices else Path(clip.media).stem
    return draw_scene(
        source.recordings,
        source.category,
        snr_db,
        samples,
        (seed, crc32(clip.id.encode()), crc32(source.name.encode())),
        recipe,
        source.rooms,
        avoid=own,
        voices=source.voices,
    )
