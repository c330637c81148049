"""Landscape: 1,000 clips of 10 s from YouTube in nine classes, one of which sounds in each."""

from collections.abc import Iterator
from pathlib import Path

from data_prep.datasets.mixtures.dataset import Listed
from data_prep.datasets.remarks import Remarks
from data_prep.datasets.tables import read_table
from data_prep.media.files import find_files

LAYOUT = "Landscape.csv, and clips named as in it, in train/ and test/ or anywhere"
TABLE = "Landscape"
PARTS = ("train", "test")


def read_landscape(folder: Path, remarks: Remarks) -> Iterator[Listed]:
    """Yield the clips of Landscape.

    Args:
        folder: Absolute, with Landscape.csv.
        remarks: Nothing is told of them here.

    Raises:
        FileNotFoundError: It has no table.
        ValueError: The table is damaged.

    Source:
        Sound-Guided Semantic Video Generation, arXiv 2204.09273; researchmm/MM-Diffusion, README;
        the table as MACS gives it out, arXiv 2503.10287.
    """
    tables = [path for path in find_files(folder, {".csv"}) if path.stem == TABLE]
    if not tables:
        raise FileNotFoundError(f"{folder} has no {TABLE}.csv; expected {LAYOUT}.")
    for row in read_table(tables[0], ("event_labels", "filename"), "\t"):
        name, label = row["filename"], row["event_labels"].replace("_", " ")
        video, *seconds = name.split("#")
        if len(seconds) != 2:
            raise ValueError(
                f"{tables[0]} has the file name {name!r}; expected the id of a video and its "
                "seconds, as CI0jX5TMs0Q#457#467. Get the table anew."
            )
        origin = f"video {video} of YouTube, {seconds[0]} to {seconds[1]} s"
        # Some programs do not take # in names of files.
        yield Listed(name, (name, name.replace("#", "_")), (label,), origin=origin)


def fold_of(path: Path) -> str:
    """Return the fold of a clip by the folder that it lies in, "" outside of train and test."""
    return next((part for part in reversed(path.parts[:-1]) if part in PARTS), "")
