"""Render mixtures of sounds with icons: `python -m tools.render_sounds DST --count 2000`.

It holds sounds/ (mixtures), sources/ (what each consists of, one file a source), images/ (a picture
of all that sounds), icons/ (a picture a source) and manifest.jsonl with levels and shares. It is
free data, made from formulas, on which a separator, an embedding and a denoiser can be trained. A
run that was killed is started again with the same arguments.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from data_prep.mixtures.known import write_known
from data_prep.mixtures.manifest import MANIFEST, MixedSound, read_mixtures, write_mixtures
from data_prep.mixtures.scenes.icons import MOST, SMALLEST
from data_prep.mixtures.scenes.mixture import render_mixture
from data_prep.workers.resume import Outcome, check_replaced_manifest
from tasks.cli.progress import progress_bar
from tools.pieces import make_in_pieces

PIECE = 20  # mixtures that one process renders at a time
Progress = Callable[[float, float], None]
NUMBERS = 1_000_000  # mixtures of one seed at most
LARGEST = 1024  # pixels of a picture's edge; it is drawn four times as large
FOLDS = (*("train",) * 8, "validation", "test")  # in turn


@dataclass(frozen=True)
class RenderOptions:
    """What is rendered.

    Attributes:
        count: Mixtures, 1 to a million.
        seed: Another number, other mixtures.
        most_sources: One to so many sounds at once, 1 to 3.
        seconds: Length of a mixture, half a second or more.
        size: Edge of a picture in pixels, 32 to 1,024.
    """

    count: int = 2000
    seed: int = 0
    most_sources: int = MOST
    seconds: float = 4.0
    size: int = 64

    def __post_init__(self):
        if not 1 <= self.count <= NUMBERS or self.seed < 0:
            raise ValueError(
                f"count is {self.count} and seed {self.seed}; expected 1 to {NUMBERS:,} mixtures "
                "and a seed of 0 or more."
            )
        if not 1 <= self.most_sources <= MOST:
            raise ValueError(f"most-sources is {self.most_sources}; expected 1 to {MOST}.")
        if not (0.5 <= self.seconds <= 60 and 2 * SMALLEST <= self.size <= LARGEST):
            raise ValueError(
                f"seconds is {self.seconds} and size {self.size}; expected 0.5 to 60 s and "
                f"{2 * SMALLEST} to {LARGEST:,} pixels."
            )


def main() -> None:
    """Render, and say how much there is."""
    parser = argparse.ArgumentParser(prog="python -m tools.render_sounds", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DST")
    default = RenderOptions()
    for name in ("count", "seed", "most_sources", "seconds", "size"):
        value = getattr(default, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--workers", type=int, help="processes; as many as cores without")
    given = vars(parser.parse_args())
    folder, workers = given.pop("folder"), given.pop("workers")
    try:
        options = RenderOptions(**given)
        with progress_bar("Rendering sounds", False, "{:.0f}".format) as show:
            rows = render_folder(folder, options, workers, show)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(summarise(rows, folder))


def summarise(rows: Sequence[MixedSound], folder: Path) -> str:
    """Return a line: how many mixtures of how many sources, and how many of each fold."""
    sources = Counter(len(row.sources) for row in rows)
    told = ", ".join(f"{sources[number]:,} of {number}" for number in sorted(sources))
    folds = ", ".join(f"{fold} {n:,}" for fold, n in Counter(row.fold for row in rows).items())
    return f"{len(rows):,} mixtures ({told} sounds; {folds}) in {folder}"


def render_folder(
    folder: Path,
    options: RenderOptions,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[MixedSound]:
    """Render all mixtures, then write the manifest; see `render_pieces`."""
    work = partial(_render_piece, folder, options)
    return render_pieces(folder, work, options.count, workers, progress)


def render_pieces(
    folder: Path,
    work: Callable[[int], Outcome[MixedSound]],
    count: int,
    workers: int | None = None,
    progress: Progress | None = None,
) -> list[MixedSound]:
    """Render mixtures, `PIECE` in each piece of work, then write the manifest.

    Args:
        folder: What is in it already of these names is written again.
        work: Renders those from a number on.
        count: How many there are.
        workers: Processes; as many as cores without.
        progress: Called with the mixtures done, and all.

    Returns:
        The rows, in the order of the manifest, with paths relative to the folder.

    Raises:
        ValueError: Another manifest is there.
        OSError: It cannot be written.
    """
    check_replaced_manifest(folder / MANIFEST, read_mixtures)
    rows = make_in_pieces(work, count, PIECE, workers, progress)
    rows.sort(key=lambda row: row.id)  # pieces come as they are ready
    write_mixtures(folder / MANIFEST, rows)
    return rows


def _render_piece(folder: Path, options: RenderOptions, start: int) -> Outcome[MixedSound]:
    cv2.setNumThreads(1)
    rows = []
    for number in range(start, min(start + PIECE, options.count)):
        mixture = render_mixture(
            options.seed, number, options.most_sources, options.seconds, options.size
        )
        key = f"scenes{options.seed}.{number:06d}"  # so that several folders can be learnt from
        rows.append(write_known(folder, key, FOLDS[number % len(FOLDS)], mixture))
    return Outcome(tuple(rows))


if __name__ == "__main__":
    main()
