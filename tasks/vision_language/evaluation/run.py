"""An evaluation from its configuration to its report, as `mcgurk evaluate` runs it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Protocol

from data_prep.questions.manifest import TASKS, Question
from modalities.printable import printable
from tasks.pictures.sheets import save_sheet
from tasks.reports import Evaluated, Grid, OpenBar, to_list, to_table, without_nan, write_text
from tasks.vision_language.answers import AT_ONCE
from tasks.vision_language.card import CARD, FRAMES, SOUND, AnswererCard, read_card
from tasks.vision_language.config import AVERAGE, QuestionDataOptions, WritingOptions
from tasks.vision_language.data import (
    by_task,
    check_pictures,
    find_questions,
    leave_out_unreadable,
    read_manifests,
)
from tasks.vision_language.evaluation.config import ALL, VisionLanguageEvaluationConfig
from tasks.vision_language.evaluation.sheet import Shown, draw_answers
from tasks.vision_language.scores import RULES, known, score_answers, summarise

SCORES, REPORT, ANSWERS, MISTAKES = "scores.json", "report.md", "answers.jsonl", "mistakes.png"
TITLE = "Scores, 0 to 100:"


class Answers(Protocol):
    """What answers rows, as an `Answerer` does.

    Attributes:
        card: What is known about it.
    """

    card: AnswererCard

    def answer_rows(
        self, rows: Sequence[Question], writing: WritingOptions | None = None
    ) -> list[str]:
        """Answer rows of tasks that it was trained for."""
        ...

    def check_writing(self, writing: WritingOptions) -> None:
        """Raise a ValueError where captions cannot be written so."""
        ...

    def respell(self, texts: Sequence[str]) -> list[str]:
        """Return texts as the model would write them."""
        ...

    def tell_cut(self, rows: Sequence[Question]) -> list[str]:
        """Return a line on texts of rows that are longer than is read, and one on answers."""
        ...


def run_evaluation(
    config: VisionLanguageEvaluationConfig,
    folder: Path,
    open_bar: OpenBar,
    load: Callable[[str, str], Answers],
) -> Evaluated:
    """Answer questions, score what was said, and report.

    Args:
        config: Which answerer, and which questions.
        folder: To write to.
        open_bar: Opens a progress bar.
        load: Loads an answerer from its folder or name, for a device.

    Raises:
        OSError: A file is not there, or cannot be written.
        ValueError: Questions, answerer or device are not what is expected.
    """
    if not config.answerer:
        raise ValueError("No answerer is named; expected a folder that training wrote, or a name.")
    trained = None if config.questions else trained_with(config.answerer)
    rows, place, left_out = find_rows(config, trained)
    answerer = load(config.answerer, config.device)
    writing = _writing(config, answerer.card.writing)
    answerer.check_writing(writing)
    if config.skip_bad or (trained is not None and trained.skip_bad):
        rows, unreadable = leave_out_unreadable(rows, answerer.card.images)
        left_out += unreadable
        if not rows:
            raise ValueError(f"Of {place} not one row can be used, as {unreadable[0]}")
    wrong = [row for row in rows if row.task not in answerer.card.tasks]
    rows = sorted(
        (row for row in rows if row.task in answerer.card.tasks),
        key=lambda row: TASKS.index(row.task),
    )
    if not rows:
        raise ValueError(
            f"{place} has questions of {', '.join(by_task(wrong))} alone; {config.answerer} was "
            f"trained for {', '.join(answerer.card.tasks)}. Take other questions."
        )
    answers = _answer(answerer, rows, writing, open_bar)
    scores = score_answers(rows, answers, config.rules, answerer.respell)  # type: ignore[arg-type]
    if not scores:
        raise ValueError(
            f"{place} has no answers to score by; expected some, in test or validation."
        )
    facts = {
        "answerer": config.answerer,
        "questions": f"{len(rows)} of {place}",
        "captions": f"beams {writing.beams}, at most {writing.longest} tokens",
        "VQA's rules": config.rules,
    }
    if wrong:
        facts["not trained for"] = f"{len(wrong)} of {', '.join(by_task(wrong))}, left out"
    shown = _pair(rows, answers, scores)
    _write_answers(folder / ANSWERS, shown)
    images = answerer.card.images
    pictured = images != FRAMES and not images.startswith(SOUND)
    if config.mistakes and pictured:
        worst = find_mistakes(shown, config.mistakes)
        if worst:
            save_sheet(draw_answers(worst), folder / MISTAKES)
    return _report(facts, scores, left_out, answerer.tell_cut(rows), folder)


def find_rows(
    config: VisionLanguageEvaluationConfig, trained: QuestionDataOptions | None = None
) -> tuple[list[Question], str, list[str]]:
    """Find what is to be answered.

    Args:
        config: Names a manifest, or an answerer that says what it was trained with; and a part.
        trained: What the answerer says, where it was read already.

    Returns:
        The rows, what they are in words, and a line on each that was left out.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: None is named, it holds something else, or has no such part.
    """
    if config.questions:
        rows, left_out = check_pictures(read_manifests([config.questions]), skip=config.skip_bad)
        place = config.questions
    else:
        options = trained or trained_with(config.answerer)
        found = find_questions(replace(options, skip_bad=config.skip_bad or options.skip_bad))
        rows = [row for part in found.parts.values() for some in part.values() for row in some]
        place, left_out = ", ".join(options.manifests), list(found.left_out)
    folds = sorted({row.fold for row in rows if row.fold})
    part = config.part or ("test" if folds else ALL)
    kept = [row for row in rows if part in (ALL, row.fold)]
    if not rows:
        raise ValueError(f"{place} has no questions or captions; expected some. Prepare it again.")
    if not kept:
        among = ", ".join((*folds, ALL)) if folds else f"{ALL}, as they are not parted"
        raise ValueError(f"{place} has no questions for {part!r}; expected one of {among}.")
    return kept, place if part == ALL else f"{place}, {part}", left_out


def trained_with(answerer: str) -> QuestionDataOptions:
    """Return which questions an answerer was trained and tested with.

    Raises:
        ValueError: It does not say it, or is damaged.
    """
    if not (Path(answerer) / CARD).is_file():
        raise ValueError(
            "No questions are named; expected a manifest that `mcgurk prepare` wrote, as "
            "--questions MANIFEST."
        )
    try:
        told = {"also_learnt": (), **read_card(answerer).questions}
        lists = {name: tuple(told[name]) for name in ("manifests", "tasks", "also_learnt")}
        return QuestionDataOptions(**{**told, **lists})
    except (TypeError, KeyError) as error:
        raise ValueError(f"{answerer} is damaged ({error}); train the answerer again.") from error


def _writing(config: VisionLanguageEvaluationConfig, trained: dict) -> WritingOptions:
    how = WritingOptions(**trained)
    return replace(how, beams=config.beams or how.beams, longest=config.longest or how.longest)


def _answer(
    answerer: Answers, rows: Sequence[Question], writing: WritingOptions, open_bar: OpenBar
) -> list[str]:
    answers: list[str] = []
    with open_bar("Answering", "{:.0f} questions".format) as show:
        for start in range(0, len(rows), AT_ONCE):
            answers += answerer.answer_rows(rows[start : start + AT_ONCE], writing)
            show(len(answers), len(rows))
    return answers


def _pair(
    rows: Sequence[Question], answers: Sequence[str], scores: dict[str, list[float]]
) -> list[Shown]:
    """Put rows, answers and scores together; rows that cannot be scored have none."""
    waiting = {task: iter(of) for task, of in scores.items()}
    return [
        Shown(row, said, next(waiting[row.task]) if row.task in waiting and known(row) else None)
        for row, said in zip(rows, answers, strict=True)
    ]


def find_mistakes(shown: Sequence[Shown], most: int) -> list[Shown]:
    """Return answers with low scores, as many of each task as can be, in their order.

    Args:
        shown: All.
        most: How many.
    """
    tasks = list(dict.fromkeys(one.row.task for one in shown))
    found: list[Shown] = []
    for number, task in enumerate(tasks):
        share = -(-(most - len(found)) // (len(tasks) - number))
        wrong = [o for o in shown if o.row.task == task and o.score is not None and o.score < 50]
        found += sorted(wrong, key=lambda one: one.score or 0.0)[:share]
    return found


def _write_answers(path: Path, shown: Sequence[Shown]) -> None:
    lines = [
        {
            **{k: v for k, v in asdict(one.row).items() if k in ("id", "task", "images", "text")},
            "answer": one.said,
            "answers": one.row.answers,
            "score": one.score,
        }
        for one in shown
    ]
    write_text(path, "\n".join(printable(json.dumps(o, ensure_ascii=False)) for o in lines))


def _report(
    facts: dict[str, str],
    scores: dict[str, list[float]],
    left_out: Sequence[str],
    cut: Sequence[str],
    folder: Path,
) -> Evaluated:
    means = summarise(scores)
    table: Grid = (
        ["task", "rows", "score", "measured by"],
        [
            *([task, str(len(of)), f"{fmean(of):.1f}", RULES[task]] for task, of in scores.items()),
            [AVERAGE, "", f"{means[AVERAGE]:.1f}", "plain mean of these"],
        ],
    )
    data = without_nan(
        {"facts": facts, "scores": means, "left_out": list(left_out), "cut": list(cut)}
    )
    write_text(folder / SCORES, json.dumps(data, indent=2, ensure_ascii=False))
    parts = ["# Evaluation of answers", to_list(facts), "## Scores", to_table(*table)]
    parts += [f"{line}." for line in cut]
    if left_out:
        parts += ["## Left out", "\n".join(f"- {line}" for line in left_out)]
    write_text(folder / REPORT, "\n\n".join(parts))
    notes = [*(f"{line}." for line in cut), *(f"Left out: {line}" for line in left_out[:10])]
    return Evaluated(facts, TITLE, [table], folder / REPORT, data, notes)
