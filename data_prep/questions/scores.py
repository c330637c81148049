"""How right an answer is, from what several people answered."""

from collections import Counter
from collections.abc import Sequence

OFFICIAL = 10
ENOUGH = 3  # people who must say the same for a whole point


def soft_scores(answers: Sequence[str]) -> dict[str, float]:
    """Return the score of each answer that somebody gave.

    Of ten answers it is the accuracy that VQA's official measure gives: min(1, count / 3) of the
    other nine, averaged over who is left out: 0.3, 0.6, 0.9 and 1 for one to four and more. These
    are the scores of the published label dictionaries, too. Of other numbers, of which that
    measure says nothing, an answer has its count by the most frequent one's.

    Args:
        answers: One of each person; empty ones do not count. They are compared in small letters,
            with single spaces; punctuation and articles stay, which scoring takes out.

    Returns:
        Scores in 0 to 1, most frequent first.
    """
    counts = Counter(text for answer in answers if (text := " ".join(answer.lower().split())))
    total = len(answers)
    if total != OFFICIAL:
        most = max(counts.values(), default=1)
        return {answer: count / most for answer, count in counts.most_common()}
    return {answer: _official(count) for answer, count in counts.most_common()}


def _official(count: int) -> float:
    """Return the mean over the ten ways to leave one answer out."""
    own = count * min(1.0, (count - 1) / ENOUGH)
    others = (OFFICIAL - count) * min(1.0, count / ENOUGH)
    return round((own + others) / OFFICIAL, 4)  # 0.3, not 0.30000000000000004
