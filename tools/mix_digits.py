"""Mix spoken digits with their pictures: `python -m tools.mix_digits DST --digits FSDD`.

DST/recordings lists single digits, for a separator and an embedding to learn from. DST/mixtures
holds digits that one says, and two at once of two speakers, each with a picture, for a painter to
learn from; DST/pictures holds such pictures alone, for the denoiser under it. One speaker is held
out: heard in every mixture that tests and in none that trains. The recordings' licence (CC BY-SA
4.0) binds what is trained on them. A run that was killed is started again.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from data_prep.datasets.sounds.fsdd import find_fsdd_sounds
from data_prep.mixtures.blending import BlendOptions
from data_prep.mixtures.digit_pictures import draw_digits, load_written_digits
from data_prep.mixtures.known import write_known
from data_prep.mixtures.manifest import (
    FOLDS,
    MANIFEST,
    MixedSound,
    read_mixtures,
    write_mixtures,
)
from data_prep.mixtures.spoken_digits import Voices, part_voices, speak_digits
from data_prep.workers.resume import Outcome, check_replaced_manifest
from tasks.audio_to_image.painting.manifest import SoundedPicture, write_examples
from tasks.cli.progress import progress_bar
from tasks.pictures.sheets import save_sheet
from tools.pieces import make_in_pieces
from tools.render_sounds import summarise

RECORDINGS, MIXTURES, PICTURES = "recordings", "mixtures", "pictures"  # folders
PIECE = 50  # mixtures that one process makes at a time
SINGLES = (1, 1, 2, 2, 2)  # digits of mixtures, and of pictures, in turn
LEVELS_DB = (-4.0, -1.0)  # of the less loud of two: it is heard, and which it is is no accident
RECIPE = "rms"  # of the whole mixture's length: what is louder has more energy, long or short
DURATION_S = 0.8  # 98 of 100 recordings are shorter; two overlap for three quarters of one


@dataclass(frozen=True)
class DigitOptions:
    """What is mixed and drawn.

    Attributes:
        train: Mixtures that train, 1 or more; of all folds three fifths have two digits.
        validation: Mixtures that are measured in training, of recordings of their own.
        test: Mixtures with a speaker who is held out.
        pictures: Pictures alone.
        speakers: Who is held out.
        seed: Another number, other mixtures and pictures.
    """

    train: int = 4000
    validation: int = 200
    test: int = 500
    pictures: int = 6000
    speakers: tuple[str, ...] = ("nicolas",)
    seed: int = 0

    def __post_init__(self):
        for name in ("train", "validation", "test", "pictures"):
            if not 1 <= getattr(self, name) <= 1_000_000:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 1 to 1,000,000.")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; expected 0 or more.")

    @property
    def folds(self) -> list[str]:
        """The fold of each mixture."""
        return [fold for fold in FOLDS for _ in range(getattr(self, fold))]


def main() -> None:
    """Mix and draw, and say how much there is."""
    parser = argparse.ArgumentParser(prog="python -m tools.mix_digits", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DST")
    parser.add_argument("--digits", type=Path, metavar="FSDD", required=True)
    default = DigitOptions()
    for name in (*FOLDS, "pictures", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(default, name))
    parser.add_argument("--speakers", nargs="+", default=default.speakers)
    parser.add_argument("--workers", type=int, help="processes; as many as cores without")
    given = vars(parser.parse_args())
    folder, digits, workers = (given.pop(name) for name in ("folder", "digits", "workers"))
    try:
        options = DigitOptions(**{**given, "speakers": tuple(given["speakers"])})
        voices = part_voices(find_fsdd_sounds(digits), options.speakers)
        list_recordings(folder / RECORDINGS, voices)
        draw_pictures(folder / PICTURES, options)
        with progress_bar("Mixing digits", False, "{:.0f}".format) as show:
            rows = mix_digits(folder / MIXTURES, voices, options, workers, show)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(f"{summarise(rows, folder / MIXTURES)}; {options.pictures:,} pictures alone")


def list_recordings(folder: Path, voices: dict[str, Voices]) -> None:
    """List single digits: those that train, and those of who is held out.

    Recordings of known speakers that mixtures test with, or are measured with, are not among them.

    Raises:
        OSError: It cannot be written.
        ValueError: Another manifest is there.
    """
    check_replaced_manifest(folder / MANIFEST, read_mixtures)
    rows = [
        MixedSound(one.id, str(Path(one.media).resolve()), (one.label,), fold)
        for fold in ("train", "test")
        for one in voices[fold].first
    ]
    write_mixtures(folder / MANIFEST, rows)


def draw_pictures(folder: Path, options: DigitOptions) -> None:
    """Draw pictures of digits, of which one in twenty is measured.

    Raises:
        OSError: They cannot be written.
        ValueError: scikit-learn is not installed.
    """
    rows, written = [], load_written_digits("train")
    for number in range(options.pictures):
        random = np.random.default_rng((options.seed, number))
        numbers = random.choice(10, SINGLES[number % len(SINGLES)], replace=False).tolist()
        path = folder / f"images/{number:06d}.png"
        save_sheet(draw_digits(numbers, written, random), path)
        fold = "validation" if number % 20 == 0 else "train"
        label = ", ".join(map(str, numbers))
        rows.append(
            SoundedPicture(f"digits{options.seed}.{number:06d}", str(path.resolve()), fold, label)
        )
    write_examples(folder, rows)


def mix_digits(
    folder: Path,
    voices: dict[str, Voices],
    options: DigitOptions,
    workers: int | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> list[MixedSound]:
    """Make all mixtures, then write the manifest.

    Args:
        folder: What is in it already of these names is written again.
        voices: Recordings by fold, as `part_voices` parts them.
        options: What is mixed.
        workers: Processes; as many as cores without.
        progress: Called with the mixtures done, and all.

    Returns:
        The rows, in the order of the manifest, with paths relative to the folder.

    Raises:
        FileNotFoundError: A recording is not there.
        ValueError: One is damaged, or another manifest is there.
        OSError: It cannot be written.
    """
    check_replaced_manifest(folder / MANIFEST, read_mixtures)
    work = partial(_mix_piece, folder, voices, options.folds, options.seed)
    rows = make_in_pieces(work, len(options.folds), PIECE, workers, progress)
    rows.sort(key=lambda row: row.id)  # pieces come as they are ready
    write_mixtures(folder / MANIFEST, rows)
    return rows


def _mix_piece(
    folder: Path, voices: dict[str, Voices], folds: Sequence[str], seed: int, start: int
) -> Outcome[MixedSound]:
    cv2.setNumThreads(1)
    blending = BlendOptions(1, 2, LEVELS_DB, DURATION_S, RECIPE, seed)
    rows = []
    for number in range(start, min(start + PIECE, len(folds))):
        fold, count = folds[number], SINGLES[number % len(SINGLES)]
        mixture = speak_digits(voices[fold], count, blending, number)
        rows.append(write_known(folder, f"digits{seed}.{number:06d}", fold, mixture))
    return Outcome(tuple(rows))


if __name__ == "__main__":
    main()
