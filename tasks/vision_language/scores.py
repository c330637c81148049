"""Official scores of answers, each task by its own rule, all from 0 to 100."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean

from data_prep.questions.manifest import DESCRIBING, Question
from tasks.scoring.answers import label_score
from tasks.scoring.captions import cider
from tasks.scoring.vqa import FEWEST, Rules, vqa_accuracy
from tasks.vision_language.config import AVERAGE

RULES: dict[str, str] = {
    "vqa": "VQA accuracy against the answers of ten people",
    "gqa": "exactly right answers",
    "nlvr2": "statements judged rightly",
    "caption": "CIDEr-D, of which 100 is the usual 1.0",
    "tvqa": "right choices of five",
    "how2qa": "right choices of four",
    "tvc": "CIDEr-D, of which 100 is the usual 1.0",
    "yc2c": "CIDEr-D, of which 100 is the usual 1.0",
}


def score_answers(
    rows: Sequence[Question],
    answers: Sequence[str],
    rules: Rules = "official",
    respell: Callable[[Sequence[str]], list[str]] = list,
) -> dict[str, list[float]]:
    """Score each answer, by task.

    Args:
        rows: One or more, of any tasks.
        answers: What was said to each.
        rules: How VQA's answers are normalised, see `vqa_accuracy`.
        respell: Writes texts as the model would, see `VisionLanguage.respell`: what can only be
            said in small letters is not wrong for that.

    Returns:
        Scores of the rows of each task, in their order, 0 to 100 (CIDEr to 1000). Tasks of which
        nothing can be scored are not there: captions of one image alone, rows without answers.
    """
    scores: dict[str, list[float]] = {}
    for task in scored_tasks(rows):
        pairs = [(r, a) for r, a in zip(rows, answers, strict=True) if r.task == task and known(r)]
        if task in DESCRIBING:
            found = _score_captions(pairs)
        else:
            written = _respell([row for row, _ in pairs], respell)
            found = [
                score_answer(row, answer, rules)
                for row, (_, answer) in zip(written, pairs, strict=True)
            ]
        scores[task] = found
    return scores


def scored_tasks(rows: Sequence[Question]) -> list[str]:
    """Return the tasks of which `score_answers` has scores of these rows, in their order."""
    shown: dict[str, set[tuple[tuple[str, ...], str]]] = {}
    for row in filter(known, rows):
        shown.setdefault(row.task, set()).add((row.images, row.text))
    return [task for task, some in shown.items() if task not in DESCRIBING or len(some) > 1]


def score_answer(row: Question, answer: str, rules: Rules = "official") -> float:
    """Score one answer to a question, 0 to 100."""
    if _by_people(row):
        return vqa_accuracy(answer, row.references, rules)
    return label_score(answer, row.answers)


def known(row: Question) -> bool:
    """Say whether it is known what is right: references count where a task is scored by them."""
    return bool(row.answers) or _by_people(row) or (row.task in DESCRIBING and bool(row.references))


def _by_people(row: Question) -> bool:
    return row.task == "vqa" and len(row.references) >= FEWEST


def _respell(
    rows: Sequence[Question], respell: Callable[[Sequence[str]], list[str]]
) -> list[Question]:
    """Return rows with their answers as a model writes them; of two that become one the better."""
    texts = list(dict.fromkeys(text for row in rows for text in row.answers))
    written = dict(zip(texts, respell(texts), strict=True)) if texts else {}
    found = []
    for row in rows:
        best: dict[str, float] = {}
        for text, score in row.answers.items():
            best[written[text]] = max(score, best.get(written[text], 0.0))
        found.append(replace(row, answers=best))
    return found


def summarise(scores: dict[str, list[float]]) -> dict[str, float]:
    """Return the mean of each task, and "average", the plain mean of these."""
    means = {task: fmean(of) for task, of in scores.items()}
    return {**means, AVERAGE: fmean(means.values())} if means else {}


def _score_captions(pairs: Sequence[tuple[Question, str]]) -> list[float]:
    """Score captions by image: rows about one, as those that train, share caption and references.

    A model says the same to all of them, so the first answer stands for all.
    """
    names = [json.dumps([row.images, row.text]) for row, _ in pairs]
    references: dict[str, tuple[str, ...]] = {}
    said: dict[str, str] = {}
    for name, (row, answer) in zip(names, pairs, strict=True):
        references[name] = references.get(name, ()) + (row.references or tuple(row.answers))
        said.setdefault(name, answer)
    found = cider(said, references)
    return [found.of_each[name] for name in names]
