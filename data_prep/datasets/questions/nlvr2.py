"""NLVR2: statements about two images, as published a line each, or the tables of VL-T5."""

from collections.abc import Iterator
from pathlib import Path

from data_prep.datasets.questions.tables import Entry, fold_of, read_lines, require_tables
from data_prep.datasets.remarks import Remarks
from data_prep.questions.manifest import Question

LAYOUT = "train.json, dev.json and test1.json, or train.json, valid.json and test.json"
ANSWERS = {"true": "true", "1": "true", "false": "false", "0": "false"}
# Papers report test1, test-P. The answers of test2 were hidden for years and are published now.
HIDDEN, OPEN = "test2", "test1"
UNTOLD = "Tables of test2 beside those of test1, which papers report: their answers are left out"
NAMES = r".*(train|dev|val|test).*\.jsonl?"


def read_nlvr2(folder: Path, remarks: Remarks) -> Iterator[Question]:
    """Yield the statements of NLVR2, "true" or "false".

    Args:
        folder: Absolute, with tables at any depth. test2 is the test where test1 is not there; else
            it has no fold and no answers, so that it is neither trained on nor scored.
        remarks: Where tables are told whose answers are left out.

    Raises:
        ValueError: There are no tables, or one is damaged.
    """
    tables = require_tables(folder, NAMES, f"{LAYOUT} in it")
    both = any(OPEN in table.stem.lower() for table in tables)
    for table in tables:
        untold = both and HIDDEN in table.stem.lower()
        if untold:
            remarks.note(UNTOLD, table.name)
        for entry in read_lines(table):
            yield _read_row(entry, "" if untold else fold_of(table.stem), told=not untold)


def _read_row(entry: Entry, fold: str, *, told: bool) -> Question:
    label = {}
    if told and "label" in entry.data:
        said = str(entry.data["label"]).lower()
        if said not in ANSWERS:
            raise entry.fault(f"has the label {entry.data['label']!r}", "True, False, 1 or 0")
        label = {ANSWERS[said]: 1.0}
    key = entry.text("uid", "identifier")
    return Question(key, "nlvr2", _images(entry), entry.text("sentence", "sent"), label, fold=fold)


def _images(entry: Entry) -> tuple[str, str]:
    if "img0" in entry.data or "img1" in entry.data:
        return entry.text("img0"), entry.text("img1")
    # dev-850-0-1 is the second statement about the pair dev-850-0.
    pair, dash, _ = entry.text("identifier").rpartition("-")
    if not dash:
        raise entry.fault("has no place in its identifier", "img0 and img1, or dev-850-0-1")
    return f"{pair}-img0", f"{pair}-img1"
