"""Mix labelled recordings: `python -m tools.mix_sounds DST --sounds fsdd_digit FSDD --count 2000`.

It holds sounds/ (mixtures), sources/ (what each consists of, one file a source) and manifest.jsonl
with levels and shares. `--sounds` is given once for each data set, with a name that `mcgurk train`
knows for sounds (as fsdd_digit, esc50, classes, csv) and its folder. Mixtures of a fold are of its
sounds alone, and of sounds without a fold. The recordings' licences bind what is trained on them.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path

from data_prep.datasets.sounds.catalog import SOUND_DATASETS
from data_prep.mixtures.blending import BlendOptions, blend, check_labels
from data_prep.mixtures.known import write_known
from data_prep.mixtures.manifest import (
    FOLDS,
    MANIFEST,
    MixedSound,
    read_mixtures,
    write_mixtures,
)
from data_prep.sounds.labelled import Sound
from data_prep.workers.resume import Outcome, check_replaced_manifest
from modalities.spelling import did_you_mean
from tasks.cli.progress import progress_bar
from tools.pieces import make_in_pieces
from tools.render_sounds import summarise

PIECE = 50  # mixtures that one process makes at a time
MOST = 1_000_000  # mixtures of one seed
Material = dict[str, list[Sound]]  # sounds by fold


def main() -> None:
    """Mix, and say how much there is."""
    parser = argparse.ArgumentParser(prog="python -m tools.mix_sounds", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DST")
    names = ("NAME", "FOLDER")
    parser.add_argument("--sounds", nargs=2, metavar=names, action="append", required=True)
    parser.add_argument("--count", type=int, default=2000)
    for field in fields(BlendOptions):
        several = {"nargs": 2, "type": float, "metavar": ("LOWEST", "HIGHEST")}
        one = {"type": type(field.default)}
        kind = several if field.name == "levels_db" else one
        name = f"--{field.name.replace('_', '-')}"
        parser.add_argument(name, default=field.default, **kind)  # type: ignore[arg-type]
    parser.add_argument("--workers", type=int, help="processes; as many as cores without")
    given = vars(parser.parse_args())
    own = {name: given.pop(name) for name in ("folder", "sounds", "count", "workers")}
    try:
        options = BlendOptions(**{**given, "levels_db": tuple(given["levels_db"])})
        material = find_material(own["sounds"], options)
        with progress_bar("Mixing sounds", False, "{:.0f}".format) as show:
            place, count = own["folder"], own["count"]
            rows = mix_folder(place, material, options, count, own["workers"], show)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    print(summarise(rows, own["folder"]))


def find_material(sounds: Iterable[tuple[str, str]], options: BlendOptions) -> Material:
    """Find the sounds of data sets, by the fold of the mixtures that are made of them.

    Args:
        sounds: A name of `SOUND_DATASETS` and a folder each.
        options: What is mixed.

    Raises:
        FileNotFoundError: A folder is not there.
        ValueError: There is no such data set, or too few labels for a mixture.
    """
    found: list[Sound] = []
    for name, folder in sounds:
        if name not in SOUND_DATASETS:
            told = did_you_mean(name, SOUND_DATASETS)
            raise ValueError(f"No data set {name!r}; known: {', '.join(SOUND_DATASETS)}.{told}")
        found += SOUND_DATASETS[name](folder)
    check_labels(found, options)
    folds = [fold for fold in FOLDS if any(sound.fold == fold for sound in found)] or [""]
    material = {fold: [s for s in found if s.fold in (fold, "")] for fold in folds}
    for of_fold in material.values():
        check_labels(of_fold, options)
    return material


def mix_folder(
    folder: Path,
    material: Material,
    options: BlendOptions,
    count: int,
    workers: int | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> list[MixedSound]:
    """Make all mixtures, then write the manifest.

    Args:
        folder: What is in it already of these names is written again.
        material: Sounds by fold, as `find_material` finds them.
        options: What is mixed.
        count: Mixtures, 1 to a million: the folds in proportion to their sounds, but 1 of each.
        workers: Processes; as many as cores without.
        progress: Called with the mixtures done, and all.

    Returns:
        The rows, in the order of the manifest, with paths relative to the folder.

    Raises:
        ValueError: The count is out of range, a recording is damaged or silent, or another manifest
            is there.
        OSError: A file cannot be read or written.
    """
    if not len(material) <= count <= MOST:
        raise ValueError(f"count is {count}; expected {len(material)} to {MOST:,} mixtures.")
    check_replaced_manifest(folder / MANIFEST, read_mixtures)
    folds = _share_out(material, count)
    work = partial(_mix_piece, folder, material, options, folds)
    rows = make_in_pieces(work, count, PIECE, workers, progress)
    rows.sort(key=lambda row: row.id)  # pieces come as they are ready
    write_mixtures(folder / MANIFEST, rows)
    return rows


def _share_out(material: Material, count: int) -> list[str]:
    """Return the fold of each mixture."""
    sounds = {fold: sum(s.fold == fold for s in of) for fold, of in material.items()}
    total = sum(sounds.values())
    held_back = {fold: max(1, round(count * n / total)) for fold, n in sounds.items()}
    first = next(iter(material))
    held_back[first] = 0
    rest = [fold for fold, n in held_back.items() for _ in range(n)]
    return [first] * (count - len(rest)) + rest


def _mix_piece(
    folder: Path, material: Material, options: BlendOptions, folds: Sequence[str], start: int
) -> Outcome[MixedSound]:
    rows = []
    for number in range(start, min(start + PIECE, len(folds))):
        mixture = blend(material[folds[number]], options, number)
        key = f"mixed{options.seed}.{number:06d}"  # so that several folders can be learnt from
        rows.append(write_known(folder, key, folds[number], mixture))
    return Outcome(tuple(rows))


if __name__ == "__main__":
    main()
