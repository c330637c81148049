"""A noisy scene written down: what was mixed how, so that it can be made again to the sample."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.noise.levels import measure_power
from data_prep.noise.mixing import Mixture, cut, mix, reverberate
from data_prep.noise.recordings import VOICES, Recordings, load_recording

BABBLE_VOICES = 6
DRAWS = 20  # a recording with silence in it is cut elsewhere, so often at most


@dataclass(frozen=True)
class Scene:
    """Noise for one clip.

    Attributes:
        category: babble, sidespeaker, music or natural.
        snr_db: Signal-to-noise ratio.
        recipe: How power is measured, see `data_prep.noise.levels.RECIPES`.
        files: The noise recordings; several voices for babble.
        offsets: Where each is cut, samples at 16 kHz.
        room: Impulse response that speech and noise are heard through, or None.
    """

    category: str
    snr_db: float
    recipe: str
    files: tuple[str, ...]
    offsets: tuple[int, ...]
    room: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Scene":
        """Read what `to_json` returned."""
        files, offsets = tuple(data["files"]), tuple(data["offsets"])
        return cls(**{**data, "files": files, "offsets": offsets})


def draw_scene(
    recordings: Recordings,
    category: str,
    snr_db: float,
    samples: int,
    seed: Sequence[int],
    recipe: str = "rms",
    rooms: Sequence[Path] = (),
    avoid: str = "",
    voices: int = BABBLE_VOICES,
) -> Scene:
    """Choose noise for a clip at random.

    Args:
        recordings: To choose from.
        category: One of `CATEGORIES`.
        snr_db: Signal-to-noise ratio.
        samples: Length of the clip.
        seed: Whole numbers; the same give the same scene.
        recipe: How power is measured.
        rooms: Impulse responses, of which one is chosen; none for no room.
        avoid: The clip itself, by path or name (stem): a voice is not mixed with itself.
        voices: How many speak at once in babble.

    Raises:
        ValueError: No such category, or too few recordings for it.
    """
    files = [p for p in recordings.files(category) if avoid not in (p.stem, str(p))]
    count = voices if category == "babble" else 1
    if len(files) < count:
        kind = "voices" if category in VOICES else category
        raise ValueError(
            f"Category {category!r} needs {count} recordings besides the clip itself; there are "
            f"{len(files)}. Add some to the folder {kind!r} of the noise (--noise)."
        )
    random = np.random.default_rng(list(seed))
    chosen = [files[i] for i in random.choice(len(files), count, replace=False)]
    offsets = [_draw_offset(path, samples, random) for path in chosen]
    room = str(rooms[int(random.integers(len(rooms)))]) if rooms else None
    return Scene(category, snr_db, recipe, tuple(map(str, chosen)), tuple(offsets), room)


def _draw_offset(path: Path, samples: int, random: np.random.Generator) -> int:
    """Choose where a recording is cut; a silent part is no noise."""
    waveform = load_recording(path)
    spare = len(waveform) - samples
    # One hardly longer than the clip goes around its end, or clips of one length, as those of GRID,
    # would all be babble that begins and pauses at once.
    places = spare + 1 if spare >= samples // 2 else len(waveform)
    for _ in range(DRAWS):
        offset = int(random.integers(places))
        if np.abs(cut(waveform, samples, offset)).max() > 0:
            return offset
    raise ValueError(f"{path} is silent in most places; take another recording.")


def render_scene(scene: Scene, speech: np.ndarray) -> Mixture:
    """Mix a clip with the noise of a scene.

    Args:
        scene: As drawn, or read from a manifest.
        speech: The clip, [samples], 16 kHz.

    Raises:
        FileNotFoundError: A recording is not where it was.
        ValueError: Speech or noise is silent.
    """
    noise = np.zeros(len(speech))
    for file, offset in zip(scene.files, scene.offsets, strict=True):
        voice = cut(load_recording(Path(file)), len(speech), offset).astype(np.float64)
        # Voices of babble are as loud as each other.
        power = measure_power(voice, scene.recipe) if len(scene.files) > 1 else 1.0
        noise += voice / np.sqrt(power) if power > 0 else voice
    if scene.room is not None:
        response = load_recording(Path(scene.room))
        speech, noise = reverberate(speech, response), reverberate(noise, response)
    return mix(speech, noise, scene.snr_db, scene.recipe)
