"""Render sounds with pictures that tell how they sound: `python -m tools.render_told_sounds DST`.

The louder a mixture, the larger its icons; the brighter it sounds, the brighter the picture. It is
free data, made from formulas, on which a painter learns to be told attributes of sounds. Folders
are as `tools.render_sounds` has them. A run that was killed is started again.
"""

import argparse
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from data_prep.mixtures.known import KnownMixture, write_known
from data_prep.mixtures.manifest import MixedSound
from data_prep.mixtures.scenes.icons import MOST, render_icons
from data_prep.mixtures.scenes.mixture import render_mixture
from data_prep.workers.resume import Outcome
from modalities.audio.attribute_scale import Bounds
from modalities.audio.sound_attributes import measure_attributes
from tasks.cli.progress import progress_bar
from tools.render_sounds import FOLDS, PIECE, Progress, render_pieces, summarise

GAIN_DB = (-24.0, 6.0)  # by which a mixture is louder or quieter than those of `render_sounds`
# What is told between which bounds, and what of a picture it says, at the least and at the most.
LOUDNESS, SHARES = Bounds("loudness", "LUFS", -46.0, -12.0), (0.45, 1.0)
CENTROID, LIGHTS = Bounds("centroid", "Hz", 400.0, 4500.0, ratio=True), (0.55, 1.0)


@dataclass(frozen=True)
class ToldOptions:
    """What is rendered.

    Attributes:
        count: Mixtures, 1 or more.
        seed: Another number, other mixtures.
        seconds: Length of a mixture, half a second or more.
        size: Edge of a picture in pixels, 32 to 1,024.
    """

    count: int = 1500
    seed: int = 0
    seconds: float = 2.0
    size: int = 32

    def __post_init__(self):
        if self.count < 1 or self.seed < 0 or self.seconds < 0.5 or not 32 <= self.size <= 1024:
            raise ValueError(
                f"count is {self.count}, seed {self.seed}, seconds {self.seconds} and size "
                f"{self.size}; expected 1 or more, 0 or more, 0.5 or more, and 32 to 1,024 pixels."
            )


def main() -> None:
    """Render, and say how much there is."""
    parser = argparse.ArgumentParser(prog="python -m tools.render_told_sounds", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DST")
    for name, value in vars(ToldOptions()).items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--workers", type=int, help="processes; as many as cores without")
    given = vars(parser.parse_args())
    folder, workers = given.pop("folder"), given.pop("workers")
    try:
        with progress_bar("Rendering sounds", False, "{:.0f}".format) as show:
            rows = render_folder(folder, ToldOptions(**given), workers, show)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(summarise(rows, folder))


def render_folder(
    folder: Path,
    options: ToldOptions,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[MixedSound]:
    """Render all mixtures, then write the manifest; see `tools.render_sounds.render_pieces`."""
    work = partial(_render_piece, folder, options)
    return render_pieces(folder, work, options.count, workers, progress)


def render_told(seed: int, number: int, seconds: float, size: int) -> KnownMixture:
    """Render one mixture and its picture; the same arguments, the same one to the bit.

    Args:
        seed: Another number, other mixtures.
        number: Which of them.
        seconds: Its length.
        size: Edge of its picture in pixels.
    """
    plain = render_mixture(seed, number, MOST, seconds, size)
    random = np.random.default_rng((seed, number, 31))
    gain = np.float32(10 ** (random.uniform(*GAIN_DB) / 20))
    gain = min(gain, np.float32(0.99 / np.abs(plain.waveform).max()))
    sounds = gain * plain.waveform
    found = measure_attributes(sounds)
    share, light = (
        np.interp(bounds.share(found.take(bounds.name)), (0, 1), reach)
        for bounds, reach in ((LOUDNESS, SHARES), (CENTROID, LIGHTS))
    )
    picture = render_icons(plain.labels, random, size, float(share)) * light
    return replace(
        plain,
        waveform=sounds,
        sources=tuple(gain * one for one in plain.sources),
        picture=np.round(picture).astype(np.uint8),
    )


def _render_piece(folder: Path, options: ToldOptions, start: int) -> Outcome[MixedSound]:
    cv2.setNumThreads(1)
    rows = []
    for number in range(start, min(start + PIECE, options.count)):
        mixture = render_told(options.seed, number, options.seconds, options.size)
        key = f"told{options.seed}.{number:06d}"  # so that several folders can be learnt from
        rows.append(write_known(folder, key, FOLDS[number % len(FOLDS)], mixture))
    return Outcome(tuple(rows))


if __name__ == "__main__":
    main()
