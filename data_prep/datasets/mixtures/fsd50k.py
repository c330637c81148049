"""FSD50K: 51,197 sounds of Freesound with labels of 200 classes, parents among them."""

from collections.abc import Iterator
from pathlib import Path

from data_prep.datasets.mixtures.dataset import Listed
from data_prep.datasets.remarks import Remarks
from data_prep.datasets.tables import read_table
from data_prep.media.files import find_files

LAYOUT = (
    "FSD50K.ground_truth/dev.csv and eval.csv, FSD50K.dev_audio/ and FSD50K.eval_audio/ (tables "
    "may lie in any folder of a name that ends in ground_truth)"
)
PLACE = "ground_truth"
SPLITS = {"train": "train", "val": "validation"}


def read_fsd50k(folder: Path, remarks: Remarks) -> Iterator[Listed]:
    """Yield the sounds of FSD50K.

    Args:
        folder: Absolute, with its tables.
        remarks: Nothing is told of them here.

    Raises:
        FileNotFoundError: A table is missing.
        ValueError: A table is damaged.

    Source:
        FSD50K: An Open Dataset of Human-Labeled Sound Events, arXiv 2010.00475; its README.
    """
    tables = {
        path.stem: path
        for path in find_files(folder, {".csv"})
        if path.parent.name.lower().endswith(PLACE)
    }
    if "dev" not in tables and "eval" not in tables:
        raise FileNotFoundError(f"{folder} has no table of FSD50K; expected {LAYOUT}.")
    for row in read_table(tables["dev"], ("fname", "labels", "split")) if "dev" in tables else ():
        if row["split"] not in SPLITS:
            raise ValueError(
                f"{tables['dev']} has the split {row['split']!r} for {row['fname']}; expected "
                f"{' or '.join(SPLITS)}. Get it anew."
            )
        yield _list(row, SPLITS[row["split"]])
    for row in read_table(tables["eval"], ("fname", "labels")) if "eval" in tables else ():
        yield _list(row, "test")


def _list(row: dict[str, str], fold: str) -> Listed:
    labels = tuple(label.replace("_", " ") for label in row["labels"].split(","))
    origin = f"sound {row['fname']} of Freesound"
    return Listed(row["fname"], (row["fname"],), labels, fold, origin=origin)
