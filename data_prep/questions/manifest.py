"""Questions and captions of images or videos, one JSON object a line."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from data_prep.json_lines import read_file_entries, write_file_entries
from modalities.printable import printable

MANIFEST = "manifest.jsonl"
FOLDS = ("train", "validation", "test")
ASKING = ("vqa", "gqa", "nlvr2", "tvqa", "how2qa")  # their text may not be empty
DESCRIBING = ("caption", "tvc", "yc2c")
TASKS = (*ASKING, *DESCRIBING)
JUDGING = ("nlvr2",)
TRUE_FALSE = ("true", "false")  # answers to statements
IMAGES = {"nlvr2": 2}  # of all other tasks one
TEXTS, LISTS = ("id", "task", "text", "fold"), ("images", "references")


@dataclass(frozen=True)
class Question:
    """What is asked or said of one image, two images or a video.

    Attributes:
        id: Unique in its manifest.
        task: One of `TASKS`; "caption" is of images, "tvc" and "yc2c" are captions of videos.
        images: The image, absolute or relative to the manifest's folder; two of "nlvr2", left and
            right; of videos the file of features, .npz with "features" [frames, 512].
        text: The question or statement, without a task's prompt; "" for captions of images. Of
            videos it has the marks [Q], [TS], [Choices] and [Subs], subtitles last.
        answers: Soft scores in 0 to 1 by answer; captions have 1. Empty where no answer is
            published, or none is in the vocabulary: such a row is answered, never trained on.
        references: What official scores compare with: ten human answers, or captions; empty where
            they are not known.
        fold: "train", "validation", "test", or "" where nothing is decided.
    """

    id: str
    task: str
    images: tuple[str, ...]
    text: str = ""
    answers: dict[str, float] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    fold: str = ""

    def with_paths(self, change: Callable[[str], str]) -> "Question":
        """Return the same with all its paths changed."""
        return replace(self, images=tuple(change(name) for name in self.images))

    def to_json(self) -> str:
        """Return one line without its end."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "Question":
        """Read what `to_json` returned.

        Raises:
            ValueError: It is damaged, or of another form.
        """
        data = json.loads(line)
        if not isinstance(data, dict):
            raise ValueError(f"is {data!r}, and no question of an image in braces")
        try:
            row = cls(**data)
        except TypeError as error:  # an entry is missing, or one that is not known
            raise ValueError(f"is no question of an image ({error})") from error
        if fault := _find_wrong_kind(data):
            raise ValueError(fault)
        row = replace(row, **{key: tuple(data[key]) for key in LISTS if key in data})
        if fault := find_fault(row):
            raise ValueError(fault)
        return row


def _find_wrong_kind(data: dict[str, Any]) -> str:
    """Return which entry of a line is of another kind of value than it has to be; "" if none."""
    for key in TEXTS:
        if key in data and not isinstance(data[key], str):
            return f"has the {key} {data[key]!r}, which is no text in quotation marks"
    for key in LISTS:
        value = data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            return f"has the {key} {value!r}, which are no list of texts"
    if not isinstance(data.get("answers", {}), dict):
        return (
            f"has the answers {data['answers']!r}, which are no scores by answer, as {{'yes': 1}}"
        )
    return ""


def find_fault(row: Question) -> str:
    """Return what is wrong with a row, as "has the fold 'tset', none of train, ..."; "" if nothing.

    Files are not looked for.
    """
    if row.task not in TASKS:
        return f"has the task {row.task!r}, none of {', '.join(TASKS)}"
    if row.fold not in (*FOLDS, ""):
        return f"has the fold {row.fold!r}, none of {', '.join(FOLDS)}"
    expected = IMAGES.get(row.task, 1)
    if len(row.images) != expected or not all(row.images):
        return f"has {sum(map(bool, row.images))} images; {row.task} needs {expected}"
    if row.task in ASKING and not row.text.strip():
        return "has an empty question"
    wrong = [text for text in (row.text, *row.answers, *row.references) if printable(text) != text]
    if wrong:
        return f"has the text {printable(wrong[0])!r}, of which letters are no Unicode"
    if row.task in JUDGING and (wrong := [said for said in row.answers if said not in TRUE_FALSE]):
        return f"has the answer {wrong[0]!r}; {row.task} has {' and '.join(TRUE_FALSE)} alone"
    for answer, score in row.answers.items():
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
            return f"has the score {score!r} for {answer!r}, not one from 0 to 1"
    return ""


def read_questions(path: str | Path) -> Iterator[Question]:
    """Read a manifest, row by row, with the paths of files made absolute.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is damaged, two have one id, or the manifest is of something else.
    """
    return read_file_entries(path, Question.from_json, "prepare")


def write_questions(path: str | Path, rows: Iterable[Question]) -> None:
    """Write a manifest as a whole; paths below its folder become relative, so that it can move.

    Raises:
        OSError: It cannot be written.
    """
    write_file_entries(path, rows)
