"""How much can be answered without looking."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from data_prep.questions.manifest import Question
from data_prep.questions.scenes.rows import form_of


def blind_scores(rows: Iterable[Question]) -> dict[str, float]:
    """Return what the most frequent answer to each kind of question scores, by task, 0 to 100.

    Args:
        rows: What `make_rows` and `make_pair_rows` gave; captions are passed over.
    """
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    numbers: Counter[str] = Counter()
    for row in rows:
        if row.task != "caption":
            sums[form_of(row)].update(row.answers)
            numbers[row.task] += 1
    best: Counter[str] = Counter()
    for form, scores in sums.items():
        best[form.split("-")[0]] += max(scores.values())
    return {task: 100 * best[task] / number for task, number in numbers.items()}
