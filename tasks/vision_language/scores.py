"""Official scores of answers, each task by its own rule, all from 0 to 100."""

from collections.abc import Sequence
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
    rows: Sequence[Question], answers: Sequence[str], rules: Rules = "official"
) -> dict[str, list[float]]:
    """Score each answer, by task.

    Args:
        rows: One or more, of any tasks.
        answers: What was said to each.
        rules: How VQA's answers are normalised, see `vqa_accuracy`.

    Returns:
        Scores of the rows of each task, in their order, 0 to 100 (CIDEr to 1000). Tasks of which
        nothing can be scored are not there: captions of one image alone, rows without answers.
    """
    scores: dict[str, list[float]] = {}
    for task in dict.fromkeys(row.task for row in rows):
        pairs = [(r, a) for r, a in zip(rows, answers, strict=True) if r.task == task and known(r)]
        if task in DESCRIBING:
            found = _score_captions(pairs)
        else:
            found = [score_answer(row, answer, rules) for row, answer in pairs]
        if found:
            scores[task] = found
    return scores


def score_answer(row: Question, answer: str, rules: Rules = "official") -> float:
    """Score one answer to a question, 0 to 100."""
    if row.task == "vqa" and len(row.references) >= FEWEST:
        return vqa_accuracy(answer, row.references, rules)
    return label_score(answer, row.answers)


def known(row: Question) -> bool:
    """Say whether it is known what is right."""
    return bool(row.references or row.answers)


def summarise(scores: dict[str, list[float]]) -> dict[str, float]:
    """Return the mean of each task, and "average", the plain mean of these."""
    means = {task: fmean(of) for task, of in scores.items()}
    return {**means, AVERAGE: fmean(means.values())} if means else {}


def _score_captions(pairs: Sequence[tuple[Question, str]]) -> list[float]:
    """Score captions by image: rows of one image share their references."""
    if len({row.id for row, _ in pairs}) < 2:
        return []
    references = {row.id: row.references or tuple(row.answers) for row, _ in pairs}
    found = cider({row.id: answer for row, answer in pairs}, references)
    return [found.of_each[row.id] for row, _ in pairs]
