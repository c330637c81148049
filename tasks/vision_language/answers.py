"""What a model answers to rows: words that it writes, or which of two it finds likelier."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from data_prep.questions.manifest import DESCRIBING, TRUE_FALSE, Question
from modalities.vision_language.vl_model import LONGEST
from tasks.vision_language.batches import Asked, Reader
from tasks.vision_language.config import WritingOptions
from tasks.vision_language.tuned import Tuned

STATEMENTS = "nlvr2"
AT_ONCE = 64  # rows that are answered together


@dataclass(frozen=True)
class Answer:
    """What a model says.

    Attributes:
        text: Without marks and outer spaces; "" where it says nothing.
        probability: Of this text among all that could be written, 0 to 1; of "true" and "false",
            beside each other alone.
    """

    text: str
    probability: float


def answer_rows(
    tuned: Tuned,
    reader: Reader,
    rows: Sequence[Question],
    writing: WritingOptions,
    device: torch.device | str,
) -> list[str]:
    """Answer rows of any tasks.

    Args:
        tuned: In evaluation mode.
        reader: Makes batches for it.
        rows: One or more.
        writing: How captions are written.
        device: Where the model is.

    Returns:
        A text for each row, in their order.
    """
    found: dict[int, str] = {}
    for task in dict.fromkeys(row.task for row in rows):
        places = [n for n, row in enumerate(rows) if row.task == task]
        for start in range(0, len(places), AT_ONCE):
            some = places[start : start + AT_ONCE]
            asked = reader.ask([rows[n] for n in some]).to(device)
            found.update(zip(some, _answer(tuned, task, asked, writing), strict=True))
    return [found[n] for n in range(len(rows))]


@torch.no_grad()
def _answer(tuned: Tuned, task: str, asked: Asked, writing: WritingOptions) -> list[str]:
    with tuned.use(task):
        encoded = tuned.vl.encode(*asked.given)
        if task == STATEMENTS:
            likelier = tuned.vl.choose(encoded, TRUE_FALSE).argmax(1)
            return [TRUE_FALSE[int(n)] for n in likelier]
        if task in DESCRIBING:
            ids = tuned.vl.generate(encoded, writing.longest, writing.beams)
        else:
            ids = tuned.vl.generate(encoded, LONGEST)
    return tuned.vl.spell(ids)


@torch.no_grad()
def rank_answers(tuned: Tuned, task: str, asked: Asked, count: int) -> list[list[Answer]]:
    """Return the likeliest answers to each row, with their probabilities.

    Args:
        tuned: In evaluation mode.
        task: Name of the one task of all rows.
        asked: On the model's device.
        count: How many of each, 1 or more; of statements two at most.

    Returns:
        For each row its answers, likeliest first, no text twice.
    """
    with tuned.use(task):
        encoded = tuned.vl.encode(*asked.given)
        if task == STATEMENTS:
            shares = tuned.vl.choose(encoded, TRUE_FALSE).softmax(1)
            rows = [
                sorted(zip(map(float, row), TRUE_FALSE, strict=True), reverse=True)
                for row in shares
            ]
            return [[Answer(text, share) for share, text in row][:count] for row in rows]
        ranked = tuned.vl.rank(encoded, count, LONGEST)
    return [_once([Answer(*one) for one in row])[:count] for row in ranked]


def _once(answers: Sequence[Answer]) -> list[Answer]:
    """Join answers that read alike though their tokens differ."""
    found: dict[str, float] = {}
    for one in answers:
        found[one.text] = found.get(one.text, 0.0) + one.probability
    joined = [Answer(text, share) for text, share in found.items()]
    return sorted(joined, key=lambda one: -one.probability)
