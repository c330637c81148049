"""The layout of the papers' software: images/, masks/ and anns/ with splits and prompts."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_prep.datasets.checks import refuse_missing
from data_prep.datasets.masks.pairs import unique
from data_prep.datasets.remarks import Remarks
from data_prep.masks.manifest import MaskedImage
from modalities.text_file import read_text

FOLDS = {"train": "train", "val": "validation", "test": "test"}
NEEDED = ("img_name", "mask_name", "prompts")
# Some sets keep the pictures of all folds in one of these.
BELOW = ("", "train", "val", "test")
Namer = Callable[[str, str], str]  # of the names of picture and mask


def is_published(folder: Path) -> bool:
    """Return whether a folder has splits of the papers' software."""
    return any((folder / f"anns/{name}.json").is_file() for name in FOLDS)


def find_published(
    folder: Path, label_of: Namer, group_of: Namer, remarks: Remarks | None
) -> list[MaskedImage]:
    """Find the rows of anns/train.json, val.json and test.json, with their prompts.

    Args:
        folder: Absolute, with anns/, images/ and masks/.
        label_of: Names the class.
        group_of: Names what must stay together; "" for the picture.
        remarks: Where it is told which files are missing; their rows are left out. None: that is
            an error.

    Returns:
        Rows in the order of the files.

    Raises:
        ValueError: A file is none of theirs, or names pictures that are not there.

    Source:
        https://github.com/naamiinepal/medvlsm
    """
    rows: list[MaskedImage] = []
    taken: set[str] = set()
    for name, fold in FOLDS.items():
        table = folder / f"anns/{name}.json"
        if not table.is_file():
            if remarks is not None:
                remarks.note("Splits that are not here", f"anns/{name}.json")
            continue
        missing: dict[str, list[str]] = {}
        for entry in read_entries(table):
            row = _read_row(entry, folder, fold, label_of, group_of)
            row = replace(row, id=unique(row.id, taken))
            taken.add(row.id)
            if absent := [path for path in row.files() if not Path(path).is_file()]:
                missing[row.id] = absent
            else:
                rows.append(row)
        _tell_missing(missing, table, remarks)
    return rows


def _read_row(
    entry: dict[str, Any], folder: Path, fold: str, label_of: Namer, group_of: Namer
) -> MaskedImage:
    image, mask = str(entry["img_name"]), str(entry["mask_name"])
    return MaskedImage(
        id="_".join(Path(mask).with_suffix("").parts),
        image=_find(folder / "images", image),
        mask=_find(folder / "masks", mask),
        label=label_of(image, mask),
        fold=fold,
        prompts=_prompts_of(entry),
        group=group_of(image, mask),
    )


def _tell_missing(missing: dict[str, list[str]], table: Path, remarks: Remarks | None) -> None:
    if remarks is None:
        refuse_missing([path for absent in missing.values() for path in absent], table)
        return
    for name, absent in missing.items():
        remarks.fail(name, ValueError(f"{table} names {', '.join(absent)}: not there."))


def read_entries(table: Path) -> list[dict[str, Any]]:
    """Read a list of entries.

    Raises:
        ValueError: It is no such list.
    """
    try:
        entries = json.loads(read_text(table))
        if not isinstance(entries, list):
            raise ValueError("it is no list")
    except ValueError as error:
        raise ValueError(
            f"{table} cannot be read ({error}); expected a list with {', '.join(NEEDED)}. Get it "
            "anew."
        ) from error
    for number, entry in enumerate(entries, 1):
        lacking = [key for key in NEEDED if not isinstance(entry, dict) or key not in entry]
        if lacking or not isinstance(entry["prompts"], dict):
            raise ValueError(
                f"{table}, entry {number} has no {lacking[0] if lacking else 'sentences'}; "
                f"expected {', '.join(NEEDED)}. Get it anew."
            )
    return entries


def _find(folder: Path, name: str) -> str:
    places = [folder / below / name for below in BELOW]
    return str(next((place for place in places if place.is_file()), places[0]))


def _prompts_of(entry: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    return {
        key: (said,) if isinstance(said, str) else tuple(map(str, said))
        for key, said in entry["prompts"].items()
    }
