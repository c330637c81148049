"""The questions of an experiment, by part and task."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_prep.json_lines import find_manifest
from data_prep.questions.manifest import FOLDS, MANIFEST, TASKS, Question, read_questions
from modalities.spelling import count_things
from modalities.vision_language.vl_model import VisionLanguage
from tasks.vision_language.config import QuestionDataOptions
from tasks.vision_language.sources import check_file

ByTask = dict[str, tuple[Question, ...]]


@dataclass(frozen=True)
class Questions:
    """Rows by their part and task, and what is known of all.

    Attributes:
        parts: Rows of "train", "validation" and "test", by task, in the order of `TASKS`.
        left_out: A line on each row that is not used.
    """

    parts: dict[str, ByTask]
    left_out: tuple[str, ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that are learnt."""
        return tuple(self.parts["train"])


def find_questions(options: QuestionDataOptions, images: str | None = None) -> Questions:
    """Find the rows of an experiment, and part them.

    Rows without an answer are scored where they have references, and never learnt from. Which
    pictures are held back follows from the manifests alone, not from what is missing or damaged.

    Args:
        options: Which rows.
        images: Name of what sees the pictures, by which each is read where bad ones are to be left
            out; None looks only whether they are there.

    Raises:
        FileNotFoundError: There is no such manifest, or a picture is not there.
        ValueError: It holds something else, or nothing to train on.
    """
    rows = [row for row in read_manifests(options.manifests) if _asked(row, options)]
    rows, left_out = check_pictures(_part(rows, options), skip=options.skip_bad)
    if options.skip_bad and images is not None:
        rows, unreadable = leave_out_unreadable(rows, images)
        left_out += unreadable
    bare = [row for row in rows if row.fold == "train" and not any(row.answers.values())]
    left_out += [f"{row.id}: no answer to learn is known" for row in bare]
    unused = {row.id for row in bare}
    parts = {
        fold: by_task([row for row in rows if row.fold == fold and row.id not in unused])
        for fold in FOLDS
    }
    if not parts["train"]:
        told = " and ".join(options.manifests) or "The data"
        why = f" Left out are {len(left_out)}, as {left_out[0]}." if left_out else ""
        raise ValueError(
            f"{told} has no questions or captions to train on"
            f"{' of ' + ', '.join(options.tasks) if options.tasks else ''}; expected some in the "
            f"fold train, or in none.{why}"
        )
    return Questions(parts, tuple(left_out))


def read_manifests(manifests: Sequence[str]) -> list[Question]:
    """Read manifests, each given as a file or as its folder.

    Raises:
        FileNotFoundError: One is not there.
        ValueError: None is named, one is damaged, or two have a row of one id.
    """
    if not manifests:
        raise ValueError(
            "data.manifests names none; expected one or more that `mcgurk prepare` wrote."
        )
    rows: dict[str, Question] = {}
    for name in manifests:
        for row in read_questions(find_manifest(name, MANIFEST)):
            if row.id in rows:
                raise ValueError(
                    f"{name} has a row {row.id!r}, and another manifest, too; expected each once. "
                    "Give them other ids, or leave one of the manifests out."
                )
            rows[row.id] = row
    return list(rows.values())


def by_task(rows: Sequence[Question]) -> ByTask:
    """Return rows by their task, in the order of `TASKS`; tasks without a row are not there."""
    found = {task: tuple(row for row in rows if row.task == task) for task in TASKS}
    return {task: some for task, some in found.items() if some}


def check_pictures(rows: Sequence[Question], *, skip: bool) -> tuple[list[Question], list[str]]:
    """Check that the files of all rows are there, without reading them.

    Args:
        rows: With absolute paths.
        skip: Leave rows out whose files are missing, instead of raising.

    Returns:
        The rows that can be used, and a line on each other one.

    Raises:
        FileNotFoundError: A file is not there.
    """
    names = {name for row in rows for name in row.images}
    missing = {name for name in names if not Path(name).is_file()}
    bad = [row for row in rows if missing.intersection(row.images)]
    if bad and not skip:
        first = next(name for name in bad[0].images if name in missing)
        raise FileNotFoundError(
            f"There is no {first}, which the row {bad[0].id!r} is about; "
            f"{count_things(len(missing), 'picture')} of {count_things(len(bad), 'row')} "
            f"{'is' if len(missing) == 1 else 'are'} missing. Prepare the data again, or leave "
            "these rows out with --skip-bad."
        )
    lines = [f"{row.id}: there is no {next(n for n in row.images if n in missing)}" for row in bad]
    return [row for row in rows if not missing.intersection(row.images)], lines


def leave_out_unreadable(rows: Sequence[Question], images: str) -> tuple[list[Question], list[str]]:
    """Read the files of all rows, each once, and leave out those that cannot be used.

    Args:
        rows: With absolute paths.
        images: Name of what sees or hears the files.

    Returns:
        The rows that can be used, and a line on each other one.
    """
    faults: dict[str, str] = {}
    for name in dict.fromkeys(name for row in rows for name in row.images):
        try:
            check_file(name, images)
        except (OSError, ValueError) as error:
            faults[name] = " ".join(str(error).split())
    kept = [row for row in rows if not faults.keys() & {*row.images}]
    bad = [row for row in rows if faults.keys() & {*row.images}]
    return kept, [f"{row.id}: {next(faults[n] for n in row.images if n in faults)}" for row in bad]


def _asked(row: Question, options: QuestionDataOptions) -> bool:
    return not options.tasks or row.task in options.tasks


def _part(rows: Sequence[Question], options: QuestionDataOptions) -> list[Question]:
    """Take rows without a fold for training, and hold pictures back where none validate."""
    learnt = {("", task) for task in TASKS} | {("validation", task) for task in options.also_learnt}
    rows = [replace(r, fold="train") if (r.fold, r.task) in learnt else r for r in rows]
    if any(row.fold == "validation" for row in rows) or not options.validation:
        return rows
    pictures = sorted({row.images[0] for row in rows if row.fold == "train"})
    random = np.random.default_rng(options.seed)
    count = round(options.validation * len(pictures))
    held = {pictures[int(n)] for n in random.permutation(len(pictures))[:count]}
    return [
        replace(row, fold="validation") if row.fold == "train" and held & {*row.images} else row
        for row in rows
    ]


def check_answers(
    questions: Questions, model: VisionLanguage, *, skip: bool
) -> tuple[dict[str, ByTask], list[str]]:
    """Check that the model's tokens can write the answers that are learnt.

    Args:
        questions: Parted.
        model: With its tokenizer.
        skip: Leave out rows with such an answer, instead of raising.

    Returns:
        The parts, and a line on each row that is left out.

    Raises:
        ValueError: An answer has letters that the model has no token for, or all have.
    """
    unwritable = unwritable_answers(
        {
            text
            for rows in questions.parts["train"].values()
            for row in rows
            for text in row.answers
        },
        model,
    )
    if not unwritable:
        return questions.parts, []
    train = questions.parts["train"]
    bad = [r for rows in train.values() for r in rows if unwritable.intersection(r.answers)]
    if not skip:
        shown = next(text for text in bad[0].answers if text in unwritable)
        raise ValueError(
            f"{count_things(len(unwritable), 'answer')} of {count_things(len(bad), 'row')}: there "
            f"are letters for which {model.name} has no token, as {shown!r} of {bad[0].id}; "
            "expected answers of its vocabulary. Take another model, or leave these rows out with "
            "--skip-bad."
        )
    out = {row.id for row in bad}
    if len(out) == sum(map(len, train.values())):
        raise ValueError(
            f"No answer of {count_things(len(out), 'row')} can be written by {model.name}, which "
            f"has no token for letters in each, as in {bad[0].id}; expected some. Take another "
            "model."
        )
    kept = by_task([row for rows in train.values() for row in rows if row.id not in out])
    lines = [f"{row.id}: an answer that {model.name} has no tokens for" for row in bad]
    return {**questions.parts, "train": kept}, lines


def unwritable_answers(texts: set[str], model: VisionLanguage) -> set[str]:
    """Return the texts of which the model's tokenizer turns a part into "unknown"."""
    assert model.tokenizer is not None
    unknown = model.tokenizer.unk_token_id
    if unknown is None or not texts:
        return set()
    listed = sorted(texts)
    ids: list[list[int]] = model.tokenizer(listed, verbose=False)["input_ids"]  # type: ignore[assignment]
    return {text for text, some in zip(listed, ids, strict=True) if unknown in some}


def keep_learnt(parts: dict[str, ByTask]) -> tuple[dict[str, ByTask], list[str]]:
    """Leave out rows of tasks of which none train: no adapter and no prompt is there for them.

    Returns:
        The parts, and a line on each task of a part that is left out.
    """
    learnt = parts["train"].keys()
    lines = [
        f"{count_things(len(rows), 'row')} of {task} in {fold}: no row of {task} trains"
        for fold, tasks in parts.items()
        for task, rows in tasks.items()
        if task not in learnt
    ]
    return {
        fold: {task: rows for task, rows in tasks.items() if task in learnt}
        for fold, tasks in parts.items()
    }, lines
