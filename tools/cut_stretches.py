"""Part long recordings for training and measuring: `python -m tools.cut_stretches DST --help`.

DST/manifest.jsonl has a line for each stretch, as the data set "manifest" of an experiment of
separation reads it: the beginning of a recording is of the fold train, its end of test, so that no
stretch is in both. A recording of one stretch alone trains. The files stay as they are.
"""

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from data_prep.media import probe
from data_prep.media.files import MEDIA, find_files
from data_prep.mixtures.manifest import MANIFEST, MixedSound, read_mixtures, write_mixtures
from data_prep.workers.resume import check_replaced_manifest

HELD_BACK = 0.2  # of a recording, but one stretch where there are two


def main() -> None:
    """Write the manifest, and say how many stretches there are."""
    parser = argparse.ArgumentParser(prog="python -m tools.cut_stretches", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DST")
    names = ("LABEL", "FOLDER")
    parser.add_argument("--sounds", nargs=2, metavar=names, action="append", required=True)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a stretch")
    given = parser.parse_args()
    try:
        check_replaced_manifest(given.folder / MANIFEST, read_mixtures)
        rows = cut_stretches(given.sounds, given.seconds)
        write_mixtures(given.folder / MANIFEST, rows)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    tested = sum(row.fold == "test" for row in rows)
    print(f"{given.folder}: {len(rows) - tested} stretches to train, {tested} to measure")


def cut_stretches(sounds: Iterable[tuple[str, str]], seconds: float) -> list[MixedSound]:
    """Find the stretches of all recordings.

    Args:
        sounds: What recordings are called, and a folder of them, each.
        seconds: Length of a stretch, 0.1 or more; a rest that is shorter is left out.

    Raises:
        FileNotFoundError: A folder is not there.
        ValueError: It holds no sound that is long enough, or one that another holds, too; a label
            is empty, a recording damaged, or the length out of range.
    """
    if not seconds >= 0.1:
        raise ValueError(f"seconds is {seconds}; expected 0.1 s or more.")
    rows: list[MixedSound] = []
    names: Counter[str] = Counter()
    known: dict[Path, str] = {}
    for label, folder in sounds:
        if not label.strip():
            raise ValueError(f"The sounds in {folder} have no label; expected a word, as 'noise'.")
        names[label] += 1  # recordings in another folder of the same label may be called the same
        name = label if names[label] == 1 else f"{label}-{names[label]}"
        found = _cut_folder(name, label, folder, seconds, known)
        if not found:
            raise ValueError(f"{folder} holds no sound of {seconds:g} s; expected one or more.")
        rows += found
    return rows


def _cut_folder(
    name: str, label: str, folder: str, seconds: float, known: dict[Path, str]
) -> list[MixedSound]:
    """Return the stretches of the recordings of a folder; `known` says where others are from."""
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"There is no folder {folder}; expected recordings in it.")
    rows = []
    for path in find_files(Path(folder), MEDIA):
        media = path.resolve()
        if media in known:
            raise ValueError(
                f"{media} was taken as {known[media]!r} already; expected each recording once."
            )
        known[media] = label
        place = path.relative_to(folder)
        for number, fold in enumerate(_folds(int((probe(path).duration_s or 0) / seconds))):
            start_s = number * seconds
            key = f"{name}/{place}/{start_s:g}"
            rows.append(MixedSound(key, str(media), (label,), fold, start_s, start_s + seconds))
    return rows


def _folds(count: int) -> list[str]:
    """Return the fold of each stretch of a recording, in order of time."""
    held = max(1, round(HELD_BACK * count)) if count > 1 else 0
    return ["train"] * (count - held) + ["test"] * held


if __name__ == "__main__":
    main()
