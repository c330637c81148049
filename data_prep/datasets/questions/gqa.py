"""GQA: its balanced questions as they are published, or the tables of LXMERT and VL-T5."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_prep.datasets.questions.tables import (
    Entry,
    as_entries,
    find_tables,
    fold_of,
    read_json,
    require_tables,
)
from data_prep.datasets.remarks import Remarks
from data_prep.questions.manifest import Question

LAYOUT = "train_balanced_questions.json and so on, or train.json, valid.json and testdev.json"


def read_gqa(folder: Path, remarks: Remarks) -> Iterator[Question]:
    """Yield the balanced questions of GQA.

    "valid" stays validation, though the papers train on it, too: the recipe decides that. testdev
    is the test; the test and challenge parts have no published answers, and so no fold.

    Args:
        folder: Absolute, with tables at any depth; those of all questions are passed over where
            balanced ones are there.
        remarks: Unused; all that is wrong is raised.

    Raises:
        ValueError: There are no tables, or one is damaged.
    """
    tables = find_tables(folder, r".*balanced_questions.*\.json") or require_tables(
        folder, r"(.*questions.*|train|val|valid|testdev|submit)\.json", f"{LAYOUT} in it"
    )
    for table in tables:
        fold = fold_of(table.stem)
        data = read_json(table)
        if not isinstance(data, dict):
            for entry in as_entries(table, data):
                yield _read_labelled(entry, fold)
            continue
        for number, (key, value) in enumerate(data.items(), 1):
            entry = Entry(table, number, value if isinstance(value, dict) else {})
            if entry.data.get("isBalanced", True):
                yield _read_official(entry, key, fold)


def _read_labelled(entry: Entry, fold: str) -> Question:
    label = entry.label()
    key, image, text = entry.text("question_id"), entry.text("img_id"), entry.text("sent")
    return _row(key, image, text, label, fold)


def _read_official(entry: Entry, key: str, fold: str) -> Question:
    label = {entry.text("answer"): 1.0} if "answer" in entry.data else {}
    return _row(key, entry.text("imageId"), entry.text("question"), label, fold)


def _row(key: str, image: str, text: str, label: dict[str, Any], fold: str) -> Question:
    return Question(key, "gqa", (image,), text, label, fold=fold if label else "")
