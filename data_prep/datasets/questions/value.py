"""Questions and captions of videos as VALUE gives them out: TVQA, How2QA, TVC and YC2C.

https://github.com/VALUE-Leaderboard/DataRelease: ann/tvqa/tvqa_train.jsonl and so on,
ann/tv_subtitles.jsonl, vis_features/tv/clip-vit/VIDEO.npz.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from data_prep.datasets.questions.captions import caption_rows
from data_prep.datasets.questions.tables import (
    Entry,
    find_tables,
    fold_of,
    read_lines,
    require_tables,
)
from data_prep.datasets.remarks import Remarks
from data_prep.questions.manifest import ASKING, Question

NO_SUBTITLES = "Subtitles are not here, and texts are without them"
CLIP_VIT = "clip-vit"  # the features of the four that are given out that VL-Adapter takes
Spoken = tuple[float, float, str]  # start and end in seconds, and the words
Subtitles = dict[str, list[Spoken]]


@dataclass(frozen=True)
class Videos:
    """One of VALUE's tasks; called, it yields its rows.

    Attributes:
        task: Its name, with which its tables begin.
        subtitles: The table of subtitles.
    """

    task: str
    subtitles: str

    @property
    def layout(self) -> str:
        """Its tables in words, for messages."""
        return (
            f"{self.task}_train.jsonl, ..._val.jsonl and so on, {self.subtitles} and "
            f"{CLIP_VIT}/VIDEO.npz"
        )

    def __call__(self, folder: Path, remarks: Remarks) -> Iterator[Question]:
        """Yield the rows.

        Args:
            folder: Absolute, with tables at any depth.
            remarks: Where it is told that there are no subtitles.

        Raises:
            ValueError: There are no tables, or one is damaged.
        """
        tables = require_tables(folder, rf"{self.task}_.*\.jsonl", f"{self.layout} in it")
        beside = find_tables(folder, self.subtitles.replace(".", r"\."))
        if not beside:
            remarks.note(NO_SUBTITLES, self.subtitles)
        subtitles = _read_subtitles(beside)
        for table in tables:
            for entry in read_lines(table):
                if self.task in ASKING:
                    yield _read_question(entry, self.task, subtitles)
                else:
                    yield from _read_captions(entry, self.task, subtitles)


def _read_question(entry: Entry, task: str, subtitles: Subtitles) -> Question:
    """Read a question with its choices; the answer is "a0", "a1" and so on.

    Subtitles come last: VL-Adapter has them first, and where text is cut it loses the choices.
    """
    keys = list(takewhile(lambda key: key in entry.data, (f"a{n}" for n in range(10))))
    if len(keys) < 2:
        raise entry.fault(f"has {len(keys)} choices", "a0, a1 and so on")
    choices = " ".join(f"{key}: {entry.text(key)}" for key in keys)
    video, span = entry.text("vid_name"), _read_span(entry)
    moment = f" [TS] {_show(span)}" if span else ""
    said = _words(subtitles.get(video, ()))
    text = f"[Q] {entry.text('q')}{moment} [Choices] {choices}{said}"
    answers = _read_answer(entry, keys)
    return Question(entry.text("qid"), task, (video,), text, answers, (), fold_of(entry.table.stem))


def _read_answer(entry: Entry, keys: list[str]) -> dict[str, float]:
    index = entry.data.get("answer_idx")
    if index is None:
        return {}
    if f"a{index}" not in keys:
        raise entry.fault(f"has the answer_idx {index!r}", f"a number below {len(keys)}")
    return {f"a{index}": 1.0}


def _read_captions(entry: Entry, task: str, subtitles: Subtitles) -> Iterator[Question]:
    """Read the captions of a moment, with what is said in it."""
    video, span = entry.text("vid_name"), _read_span(entry)
    begin, end = span or (-math.inf, math.inf)
    near = [one for one in subtitles.get(video, ()) if one[1] > begin and one[0] < end]
    text = f"{f'[TS] {_show(span)}' if span else ''}{_words(near)}".strip()
    descs = entry.items("descs") if "descs" in entry.data else []
    captions = [str(one.get("desc", "")) for one in descs]
    if not all(caption.strip() for caption in captions):
        raise entry.fault("has an empty caption", "descs with desc in each")
    fold = fold_of(entry.table.stem)
    if fold == "train" and not captions:
        raise entry.fault("has no descs", "captions of what trains")
    yield from caption_rows(task, entry.text("clip_id"), video, captions, fold, text)


def _read_span(entry: Entry) -> tuple[float, float] | None:
    """Return start and end in seconds; None where they are not known, as "nan-nan" in TVQA."""
    value = entry.data.get("ts")
    if value is None:
        return None
    parts = value.split("-") if isinstance(value, str) else value
    try:
        begin, end = map(float, parts)
    except (TypeError, ValueError) as error:
        raise entry.fault(f"has the ts {value!r}", "start and end in seconds") from error
    return None if math.isnan(begin) or math.isnan(end) else (begin, end)


def _show(span: tuple[float, float]) -> str:
    return f"({span[0]:g}-{span[1]:g})"


def _words(spoken: Any) -> str:
    said = " ".join(" ".join(words.split()) for _, _, words in spoken)
    return f" [Subs] {said}" if said else ""


def _read_subtitles(tables: list[Path]) -> Subtitles:
    found: Subtitles = {}
    for table in tables:
        for entry in read_lines(table):
            try:
                found[entry.text("vid_name")] = [
                    (float(one["start"]), float(one["end"]), str(one["text"]))
                    for one in entry.items("sub")
                ]
            except (KeyError, TypeError, ValueError) as error:
                raise entry.fault(
                    f"has subtitles that cannot be read ({error})", "text, start and end in seconds"
                ) from error
    return found
