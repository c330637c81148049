"""Questions about a sound of digits or of an animal, in words that a small tokenizer spells.

A question is at most 20 tokens with its prompt, where each letter of a word that the tokenizer does
not know is one: hence "which number", as "which digit" would be cut.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from data_prep.questions.manifest import Question

TASK = "vqa"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
# What is asked, by kind of question.
ASKED = {
    "count": "how many digits are said?",
    "first": "which number is first?",
    "last": "which number is last?",
    "said": "is {a} said?",
    "animal": "which animal do you hear?",
    "hear": "do you hear {a}?",
}


def ask_digits(
    key: str, path: str, fold: str, digits: Sequence[int], random: np.random.Generator
) -> Iterator[Question]:
    """Yield a question of each kind about digits that are said.

    Args:
        key: What the ids begin with.
        path: The sound.
        fold: "train", "validation" or "test", that of the sound.
        digits: In their order, one or more, but not all ten.
        random: Is drawn from.
    """
    named, yes = _toss(DIGITS, {DIGITS[digit] for digit in digits}, random)
    first, last = str(digits[0]), str(digits[-1])
    told = {"count": str(len(digits)), "first": first, "last": last, "said": yes}
    for kind, answer in told.items():
        yield _row(key, kind, path, fold, ASKED[kind].format(a=_a(named)), answer)


def ask_animal(
    key: str,
    path: str,
    fold: str,
    animal: str,
    animals: Sequence[str],
    random: np.random.Generator,
) -> Iterator[Question]:
    """Yield a question of each kind about an animal; arguments as of `ask_digits`.

    Args:
        key: What the ids begin with.
        path: The sound.
        fold: "train", "validation" or "test", that of the sound.
        animal: What is heard.
        animals: What can be heard at all, two or more.
        random: Is drawn from.
    """
    named, yes = _toss(animals, {animal}, random)
    yield _row(key, "animal", path, fold, ASKED["animal"], animal)
    yield _row(key, "hear", path, fold, ASKED["hear"].format(a=_a(named)), yes)


def kind_of(row: Question) -> str:
    """Return the kind of a row that was made here, a key of `ASKED`."""
    return row.id.rsplit("-", 1)[1]


def deaf_scores(rows: Iterable[Question]) -> dict[str, float]:
    """Return what who hears nothing scores, by kind of question, 0 to 100.

    To each wording it says what is most often right among the training rows, and is scored on those
    of the test.

    Args:
        rows: That were made here; kinds without rows of the test are left out.
    """
    right: dict[str, Counter[str]] = defaultdict(Counter)
    tested: dict[str, list[Question]] = defaultdict(list)
    for row in rows:
        if row.fold == "test":
            tested[kind_of(row)].append(row)
        else:
            right[row.text].update(row.answers)
    said = {text: counts.most_common(1)[0][0] for text, counts in right.items()}
    return {
        kind: 100 * sum(said.get(row.text) in row.answers for row in some) / len(some)
        for kind, some in sorted(tested.items(), key=lambda pair: [*ASKED].index(pair[0]))
    }


def _toss(names: Sequence[str], there: set[str], random: np.random.Generator) -> tuple[str, str]:
    """Name something that is there or something that is not, and say which: "yes" or "no"."""
    yes = bool(random.random() < 0.5)
    return str(random.choice([name for name in names if (name in there) == yes])), (
        "yes" if yes else "no"
    )


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeio" and noun != "one" else f"a {noun}"


def _row(key: str, kind: str, path: str, fold: str, text: str, answer: str) -> Question:
    return Question(f"{key}-{kind}", TASK, (path,), text, {answer: 1.0}, (), fold)
