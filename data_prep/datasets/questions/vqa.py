"""VQAv2: official questions and annotations, or label dictionaries of LXMERT and VL-T5."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_prep.datasets.questions.tables import (
    Entry,
    as_entries,
    find_tables,
    fold_of,
    no_tables,
    read_json,
)
from data_prep.datasets.remarks import Remarks
from data_prep.questions.manifest import Question
from data_prep.questions.scores import soft_scores

LAYOUT = (
    "karpathy_train.json, karpathy_val.json and karpathy_test.json, or v2_..._questions.json and "
    "v2_..._annotations.json"
)
NO_REFERENCES = "Official annotations are not here, so the official accuracy cannot be computed"
FOUND = "Scores are those of the label dictionaries"
VOCABULARY = "trainval_ans2label.json"


def read_vqa(folder: Path, remarks: Remarks) -> Iterator[Question]:
    """Yield the rows of VQAv2.

    Tables with label dictionaries go first, Karpathy's before LXMERT's own split: they stand in one
    folder with the official annotations, which then give the ten answers alone. Of official tables
    `soft_scores` makes the scores; where trainval_ans2label.json is there, only answers in it
    count, as in the label dictionaries.

    Args:
        folder: Absolute, with tables at any depth.
        remarks: Where it is told which tables were taken.

    Raises:
        ValueError: There are no tables, or one is damaged.
    """
    labelled = find_tables(folder, r"karpathy_.+\.json") or find_tables(
        folder, r"(train|nominival|minival|val|valid|test)\.json"
    )
    asked = [] if labelled else find_tables(folder, r".*question.*\.json")
    if not labelled and not asked:
        raise no_tables(folder, f"{LAYOUT} in it")
    for table in labelled:
        remarks.note(FOUND, table.name)
    references = _read_references(folder)
    if not references:
        remarks.note(NO_REFERENCES, labelled[0].name if labelled else asked[0].name)
    if labelled:
        for table in labelled:
            yield from _read_labelled(table, references)
        return
    vocabulary = _read_vocabulary(folder)
    for table in asked:
        yield from _read_official(table, references, vocabulary)


def _read_labelled(table: Path, references: dict[str, tuple[str, ...]]) -> Iterator[Question]:
    for entry in as_entries(table, read_json(table)):
        key = entry.text("question_id")
        yield Question(
            id=key,
            task="vqa",
            images=(entry.text("img_id"),),
            text=entry.text("sent"),
            answers=entry.label(),
            references=references.get(key, ()),
            fold=fold_of(table.stem),
        )


def _read_official(
    table: Path, references: dict[str, tuple[str, ...]], vocabulary: set[str]
) -> Iterator[Question]:
    data = read_json(table)
    part = str(_member(table, data, "data_subtype"))
    fold = fold_of(table.stem) or fold_of(part)
    for entry in as_entries(table, _member(table, data, "questions")):
        key = entry.text("question_id")
        scores = soft_scores(references.get(key, ()))
        yield Question(
            id=key,
            task="vqa",
            images=(_image_of(entry, part),),
            text=entry.text("question"),
            answers={
                answer: score
                for answer, score in scores.items()
                if not vocabulary or answer in vocabulary
            },
            references=references.get(key, ()),
            fold=fold,
        )


def _image_of(entry: Entry, part: str) -> str:
    number = entry.text("image_id")
    if not number.isdecimal():
        return number  # own data in VQA's form
    return f"COCO_{part.replace('test-dev', 'test')}_{int(number):012d}"


def _read_references(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the people's answers by question."""
    found: dict[str, tuple[str, ...]] = {}
    for table in find_tables(folder, r".*annotation.*\.json"):
        data = read_json(table)
        if not isinstance(data, dict) or "data_subtype" not in data:
            continue  # COCO's own annotations may lie beside
        for entry in as_entries(table, _member(table, data, "annotations")):
            key = entry.text("question_id")
            said = entry.items("answers")
            if not all(isinstance(one.get("answer"), str) for one in said):
                raise entry.fault("has an answer without words", "answers with answer in each")
            # One string for all who say the same: there are six million of them.
            found[key] = tuple(sys.intern(one["answer"]) for one in said)
    return found


def _read_vocabulary(folder: Path) -> set[str]:
    found: set[str] = set()
    for table in find_tables(folder, VOCABULARY):
        answers = read_json(table)
        if not isinstance(answers, dict | list):
            raise ValueError(
                f"{table} has no answers in it; expected numbers by answer. Get it anew."
            )
        found.update(map(str, answers))
    return found


def _member(table: Path, data: Any, key: str) -> Any:
    if not isinstance(data, dict) or key not in data:
        raise ValueError(f"{table} has no {key}; expected {LAYOUT}. Is it the right file?")
    return data[key]
