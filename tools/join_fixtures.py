"""Make one manifest of small parts of VQAv2, GQA, NLVR2 and Flickr30k, all rows to be learnt.

`python -m tools.join_fixtures SRC DST`: SRC has a folder for each as it is published, and the
pictures of each in `images/NAME`. What is learnt by heart from them shows the road from files to
answers, and nothing else.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from data_prep.questions.manifest import MANIFEST, read_questions, write_questions
from tasks.__main__ import run

NAMES = ("vqav2", "gqa", "nlvr2", "flickr30k")


def main() -> None:
    """Write it, and say where."""
    parser = argparse.ArgumentParser(prog="python -m tools.join_fixtures", description=__doc__)
    parser.add_argument("source", type=Path, metavar="SRC")
    parser.add_argument("folder", type=Path, metavar="DST")
    given = parser.parse_args()
    count = join_fixtures(given.source, given.folder)
    print(f"{given.folder / MANIFEST}: {count} rows, all to be learnt")


def join_fixtures(source: Path, folder: Path, names: Sequence[str] = NAMES) -> int:
    """Prepare each data set with `mcgurk prepare`, and join them.

    Args:
        source: With a folder for each, and "images".
        folder: Made where it is not there; each data set has a folder in it, too.
        names: Data sets, as `data_prep.datasets.questions.catalog` calls them.

    Returns:
        How many rows there are.

    Raises:
        ValueError: One cannot be prepared; the command has said why.
    """
    rows = []
    for name in names:
        images = str(source / "images" / name)
        command = ["prepare", name, str(source / name), "--images", images]
        if run([*command, "-o", str(folder / name)]):
            raise ValueError(f"{source / name} cannot be prepared; expected {name} as published.")
        rows += read_questions(folder / name / MANIFEST)
    # What is published of NLVR2 and Flickr30k here is held back there; none of it is measured here.
    write_questions(folder / MANIFEST, [replace(row, fold="train") for row in rows])
    return len(rows)


if __name__ == "__main__":
    main()
