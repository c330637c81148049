"""Write what `make vision-language` measured into docs/vision_language.md, between its marks."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from tasks.pictures.sheets import save_sheet
from tasks.reports import to_table
from tasks.training.study import RESULTS, plain
from tasks.training.study_plots import draw_parameters
from tasks.training.study_runs import Result
from tasks.training.study_summary import Measure, rows_of, summarise
from tasks.vision_language.answerer import Answerer
from tasks.vision_language.card import AnswererCard, read_card
from tasks.vision_language.data import find_questions
from tasks.vision_language.evaluation.run import trained_with
from tasks.vision_language.evaluation.sheet import Shown, draw_answers
from tasks.vision_language.published import DEVIATIONS, MEASURES, PAPER, REPRODUCED, VIDEO
from tasks.vision_language.scores import score_answers
from tasks.vision_language.variants import ROWS
from tools.machine import processor
from tools.marks import rewrite

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "build/vision_language/scenes_study"
PAGE = ROOT / "docs/vision_language.md"
PLOT, SHEET = "vision_language_parameters.png", "vision_language_answers.webp"
# Rows of configs/vision_language/scenes_study.yaml.
ALL_OF_IT, SINGLE, MULTIPLE, PROMPT = (
    "full fine-tuning",
    "single adapter",
    "multiple adapters",
    "single prompt",
)
AVERAGE = Measure("test_average", "average", "Average of four tasks, 0 to 100", 1)
ACCURACY = Measure("accuracy", "the three", "Mean accuracy of VQA, GQA and NLVR2, percent", 1)
ACCURACIES = (
    Measure("test_vqa", "VQA", decimals=1),
    Measure("test_gqa", "GQA", decimals=1),
    Measure("test_nlvr2", "NLVR2", decimals=1),
)
COLUMNS = (*ACCURACIES, ACCURACY, Measure("test_caption", "CIDEr", decimals=1), AVERAGE)
SHOWN = {"vqa": 4, "gqa": 4, "nlvr2": 2, "caption": 2}  # answers on the sheet, right or wrong
MISTAKES = {"vqa": 2, "gqa": 2, "nlvr2": 2}


def main() -> None:
    """Put tables, the plot and the sheet into the page."""
    rewrite(PAGE, "published", lambda _: published_tables())
    results = read_results(BUILT / RESULTS)
    draw_parameters(results, ACCURACY, PAGE.parent / PLOT)
    place = BUILT / plain(SINGLE) / str(min(result.seed for result in results))
    draw_some(place, PAGE.parent / SHEET)
    text = "\n\n".join(write_study(results, BUILT))
    rewrite(PAGE, "study", lambda _: text)


def read_results(path: Path) -> list[Result]:
    """Read what a study wrote, and add the mean of the accuracies.

    Captions of rendered scenes are so alike that their CIDEr is several times what photographs
    have, and an average with it says little about the rest.
    """
    results = [Result(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    for result in results:
        of_each = [result.measures[measure.name] for measure in ACCURACIES]
        result.measures[ACCURACY.name] = fmean(of_each)
    return results


def published_tables() -> str:
    """Return the papers' tables, of images and of videos."""
    lines = []
    for key, row in ROWS.items():
        paper, again = PAPER.get(key), REPRODUCED.get(key)
        shares = paper or again
        assert shares is not None
        lines.append([row.title, f"{shares.share:.2f}", *_cells(key, paper), *_again(key, again)])
    heads = ["VL-BART", "trained, %", *MEASURES, "average of three seeds"]
    videos = [
        [ROWS[key].title, f"{row.share:.2f}", *(f"{value:.1f}" for value in row[1:])]
        for key, row in VIDEO.items()
    ]
    of_videos = ["VL-BART, videos", "trained, %", "TVQA", "How2QA", "TVC", "YC2C", "average"]
    return "\n\n".join([to_table(heads, lines), to_table(of_videos, videos)])


def _cells(key: str, row: Sequence[float] | None) -> list[str]:
    return [""] * len(MEASURES) if row is None else [f"{value:.1f}" for value in row[1:]]


def _again(key: str, row: Sequence[float] | None) -> list[str]:
    if row is None:
        return [""]
    deviation = f" ± {DEVIATIONS[key][-1]:.2f}" if key in DEVIATIONS else ""
    return [f"{row[-1]:.2f}{deviation}"]


def write_study(results: Sequence[Result], folder: Path) -> list[str]:
    """Return the paragraphs that tell a study.

    Args:
        results: Those of all rows of configs/vision_language/scenes_study.yaml.
        folder: Where it left them.
    """
    seeds = sorted({result.seed for result in results})
    cards = {row: _card(results, row, folder) for row in rows_of(results)}
    any_card = cards[SINGLE]
    lines = []
    for row in rows_of(results):
        some = _of(results, row)
        share = 100 * cards[row].trained / cards[row].parameters
        told = [summarise(some, measure.name).tell(1) for measure in COLUMNS]
        lines.append([row, f"{cards[row].trained:,}", f"{share:.2f}", *told])
    heads = ["method", "trained", "%", *(measure.head for measure in COLUMNS)]
    return [
        to_table(heads, lines),
        f"Mean and deviation of the seeds {', '.join(map(str, seeds))} on the test rows, from 0 to "
        "100 (CIDEr: 100 is the usual 1.0; captions of scenes are so alike that it goes far "
        'above). "The three" is the mean of VQA, GQA and NLVR2, and the plainer measure; the '
        f"average has CIDEr as it is, as the papers' has. On one machine of {processor()}, trained "
        f"on {any_card.data}. The percentage counts what was added, too.",
        "\n".join(compare(results, cards)),
        f"![Accuracy by trained parameters]({PLOT})",
        f"![Pictures, questions, answers and mistakes]({SHEET})",
        f"Test pictures with what the {SINGLE} of seed {seeds[0]} says: the first rows of each "
        "task, then the first mistakes.",
    ]


def compare(results: Sequence[Result], cards: dict[str, AnswererCard]) -> list[str]:
    """Say in sentences what was aimed at, and what came of it."""
    share = cards[SINGLE].trained / cards[MULTIPLE].trained
    lines = [f"* The {SINGLE} trains {share:.2f} of what {MULTIPLE} train (aim: a third)."]
    for measure, told in ((ACCURACY, "the three accuracies"), (AVERAGE, "the average with CIDEr")):
        means = {row: summarise(_of(results, row), measure.name).mean for row in rows_of(results)}
        single = means[SINGLE]
        lines.append(
            f"* In {told} the {SINGLE} has {single:.1f}: {single - means[MULTIPLE]:+.1f} from "
            f"{MULTIPLE} (aim: 0 or better), {single - means[ALL_OF_IT]:+.1f} from {ALL_OF_IT} "
            f"(aim: -1 or better); the {PROMPT} {means[PROMPT] - single:+.1f} from it (aim: far "
            "below)."
        )
    return lines


def draw_some(place: Path, path: Path) -> None:
    """Draw test rows with what an answerer says, the first of each task and its first mistakes.

    Raises:
        OSError: The pictures are not there, or the sheet cannot be written.
        ValueError: The answerer is damaged.
    """
    answerer = Answerer.load(place, "cpu")
    part = find_questions(trained_with(str(place))).parts["test"]
    shown = []
    for task, rows in part.items():
        some = rows[:200]
        said = answerer.answer_rows(some)
        scores = score_answers(some, said)[task]
        all_of = [Shown(*one) for one in zip(some, said, scores, strict=True)]
        first = all_of[:: max(1, len(all_of) // SHOWN[task])][: SHOWN[task]]
        wrong = [one for one in all_of if one.score == 0 and one not in first]
        shown += [*first, *wrong[: MISTAKES.get(task, 0)]]
    save_sheet(draw_answers(shown), path)


def _card(results: Sequence[Result], row: str, folder: Path) -> AnswererCard:
    return read_card(folder / plain(row) / str(_of(results, row)[0].seed))


def _of(results: Sequence[Result], row: str) -> list[Result]:
    return [result for result in results if result.row == row]


if __name__ == "__main__":
    main()
