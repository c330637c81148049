"""Write what `make sound-questions` measured into docs/vision_language.md, between its marks."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from data_prep.questions.hearing.asking import ASKED, deaf_scores, kind_of
from data_prep.questions.manifest import Question
from tasks.reports import to_table
from tasks.vision_language.answerer import Answerer
from tasks.vision_language.card import AnswererCard
from tasks.vision_language.data import read_manifests
from tasks.vision_language.scores import score_answer
from tools.machine import processor
from tools.marks import rewrite

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "build/vision_language/sound_questions"
PAGE = ROOT / "docs/vision_language.md"


def main() -> None:
    """Answer the test rows, and put the table into the page."""
    answerer = Answerer.load(BUILT, "cpu")
    rows = read_manifests(answerer.card.questions["manifests"])
    tested = [row for row in rows if row.fold == "test"]
    answers = answerer.answer_rows(tested)
    text = "\n\n".join(write_scores(rows, tested, answers, answerer.card))
    rewrite(PAGE, "sounds", lambda _: text)


def write_scores(
    rows: Sequence[Question], tested: Sequence[Question], answers: Sequence[str], card: AnswererCard
) -> list[str]:
    """Return the paragraphs that tell what is right, by kind of question.

    Args:
        rows: All that `tools.render_sound_questions` made.
        tested: Those that were answered.
        answers: What was said to each.
        card: What is known about the model that answered.
    """
    right: dict[str, list[float]] = defaultdict(list)
    for row, answer in zip(tested, answers, strict=True):
        right[kind_of(row)].append(score_answer(row, answer))
    lines = [
        [
            ASKED[kind].format(a="a ..."),
            f"{len(right[kind]):,}",
            f"{fmean(right[kind]):.1f}",
            f"{deaf:.1f}",
        ]
        for kind, deaf in deaf_scores(rows).items()
    ]
    share = 100 * card.trained / card.parameters
    return [
        to_table(["question", "test rows", "right, %", "deaf, %"], lines),
        f"Trained are {card.trained:,} parameters, {share:.1f} % of all with the adapter, on "
        f"{sum(row.fold == 'train' for row in rows):,} rows, with one seed, on one machine of "
        f"{processor()}.",
    ]


if __name__ == "__main__":
    main()
