"""Accuracy of answers that are right as they are written or not: GQA, NLVR2, choices of videos."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean


def label_score(answer: str, labels: Mapping[str, float]) -> float:
    """Return the soft score of an answer, 0 to 100; one that is no label has 0.

    Strings are compared as they are, without normalising. VL-T5's log calls the mean of this
    "topk score" for VQA: another number than `tasks.scoring.vqa.vqa_accuracy`.

    Args:
        answer: What a model says.
        labels: Answers that count, with their scores, 0 to 1.
    """
    return 100 * labels.get(answer, 0.0)


def gqa_accuracy(answers: Mapping[str, str], expected: Mapping[str, str]) -> float:
    """Return the share of answers that are exactly right, percent.

    Args:
        answers: What a model says, by question; those to other questions are not looked at.
        expected: The one right answer to each question.

    Raises:
        ValueError: There is no question, or one has no answer.

    Source:
        GQA's eval.py: no normalising, so that "Yes" is wrong for "yes".
    """
    _check(answers, expected)
    return 100 * fmean(answers[name] == right for name, right in expected.items())


@dataclass(frozen=True)
class Nlvr2Score:
    """How often statements about two images are judged right.

    Attributes:
        accuracy: Share of pairs of images that are right, percent; guessing has about 50.
        consistency: Share of sentences that are right for every pair of theirs, percent.
    """

    accuracy: float
    consistency: float


def score_nlvr2(answers: Mapping[str, str], expected: Mapping[str, str]) -> Nlvr2Score:
    """Score "true" and "false", in any case, for statements about two images.

    Args:
        answers: What a model says, by identifier.
        expected: What is right, by identifier: "dev-850-2-0" is the split, the set, the pair of
            images and the sentence, and pairs of one sentence differ in the third part alone.

    Raises:
        ValueError: There is no statement, one has no answer, or an identifier has another form.

    Source:
        lil-lab/nlvr, nlvr2/eval/metrics.py.
    """
    _check(answers, expected)
    right = {name: answers[name].lower() == label.lower() for name, label in expected.items()}
    sentences: dict[tuple[str, ...], bool] = {}
    for name, is_right in right.items():
        sentence = _sentence_of(name)
        sentences[sentence] = sentences.get(sentence, True) and is_right
    return Nlvr2Score(100 * fmean(right.values()), 100 * fmean(sentences.values()))


def _sentence_of(identifier: str) -> tuple[str, ...]:
    parts = identifier.split("-")
    if len(parts) != 4:
        raise ValueError(
            f"The identifier is {identifier!r}; expected split, set, pair and sentence, as "
            "'dev-850-2-0'. Take those of the data set, which consistency is counted by."
        )
    return (*parts[:2], parts[3])


def _check(answers: Mapping[str, str], expected: Mapping[str, str]) -> None:
    if not expected:
        raise ValueError("There is no question to score; expected one or more.")
    missing = [name for name in expected if name not in answers]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(expected)} questions have no answer, {missing[0]!r} first; "
            "expected one for each. Answer all of them, or score those that were."
        )
