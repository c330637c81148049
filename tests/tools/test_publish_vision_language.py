"""The page of vision and language is made from what a study left, and from published tables."""

import json
from pathlib import Path

import pytest

from data_prep.questions.manifest import read_questions
from data_prep.questions.scenes.words import words_of
from tasks.config import read_config
from tasks.experiments import find_experiment
from tasks.training.study import StudyConfig, run_study
from tasks.training.study_runs import Result
from tasks.vision_language.card import read_card
from tasks.vision_language.published import PAPER, REPRODUCED, VIDEO
from tasks.vision_language.variants import ROWS
from tools import publish_vision_language as page

ROOT = Path(__file__).resolve().parents[2]
STUDY = ROOT / "configs/vision_language/scenes_study.yaml"
ROWS_OF_PAGE = (page.ALL_OF_IT, page.MULTIPLE, page.SINGLE, page.PROMPT)
MARKS = "# Title\n" + "".join(
    f"<!-- {n}: begin -->\n<!-- {n}: end -->\n" for n in ("published", "study")
)


@pytest.fixture(scope="module")
def built(tmp_path_factory, asked_folder) -> Path:
    """A study with the rows that the page speaks of, a step each, of the smallest size."""
    study = StudyConfig(
        of="vision_language",
        base={
            "data": {"manifests": [str(asked_folder / "seen")], "tested": 6, "measured": 2},
            "model": str(asked_folder / "bart"),
            "images": str(asked_folder / "eyes"),
            "sampling": {"batch": 4},
            "writing": {"beams": 1, "longest": 6},
            "loop": {"steps": 1, "batch": 1, "warmup": 0, "measure_every": 1},
        },
        rows={
            page.ALL_OF_IT: ["method=full"],
            page.MULTIPLE: ["method=adapter", "sharing=multiple", "options={rank: 4}"],
            page.SINGLE: ["method=adapter", "options={rank: 4}"],
            page.PROMPT: ["method=prompt", "options={tokens: 2, hidden: 4}"],
        },
        seeds=(5, 6),
        measure="test_average",
        columns=("test_vqa", "test_gqa", "test_nlvr2", "test_caption"),
    )
    folder = tmp_path_factory.mktemp("study") / "built"
    run_study(study, folder, device="cpu", find=find_experiment)
    return folder


def read(built: Path) -> list[Result]:
    return [Result(**one) for one in json.loads((built / "results.json").read_text())]


def test_the_study_learns_the_words_that_the_frozen_model_never_met_and_no_others():
    study = read_config(StudyConfig, STUDY)
    assert set(study.base["options"]["words"]) == words_of("unseen") - words_of("seen")


def test_one_command_makes_the_page(built, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "BUILT", built)
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    (tmp_path / "page.md").write_text(MARKS)
    page.main()
    text = (tmp_path / "page.md").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"page.md", page.PLOT, page.SHEET}
    assert f"]({page.PLOT})" in text and f"]({page.SHEET})" in text
    for row in ROWS_OF_PAGE:
        card = read_card(built / page.plain(row) / "5")
        share = 100 * card.trained / card.parameters
        assert f"\n| {row} | {card.trained:,} | {share:.2f} | " in text
    assert "of the seeds 5, 6 on the test rows" in text and "says: the first rows" in text
    page.main()
    assert (tmp_path / "page.md").read_text() == text, "a second time over its own"


def test_aims_are_told_with_what_came_of_them(built):
    results = [
        Result(row, "", None, seed, {page.AVERAGE.name: average, page.ACCURACY.name: average})
        for row, average in zip(ROWS_OF_PAGE, (77, 75, 76.5, 50), strict=True)
        for seed in (5, 6)
    ]
    cards = {row: read_card(built / page.plain(row) / "5") for row in ROWS_OF_PAGE}
    share, accuracies, averages = page.compare(results, cards)
    third = cards[page.SINGLE].trained / cards[page.MULTIPLE].trained
    assert f"trains {third:.2f} of what" in share
    assert "has 76.5: +1.5 from multiple adapters" in averages
    assert "-0.5 from full fine-tuning (aim: -1 or better)" in averages
    assert "the single prompt -26.5 from it" in averages
    assert averages.partition(" has ")[2] == accuracies.partition(" has ")[2]


def test_the_study_has_the_rows_that_the_page_speaks_of_and_scores_them():
    study = read_config(StudyConfig, STUDY)
    assert set(ROWS_OF_PAGE) < set(study.rows) and len(study.seeds) == 3
    assert study.measure == page.AVERAGE.name
    assert {column.name for column in page.COLUMNS} == {
        page.ACCURACY.name,
        study.measure,
        *study.columns,
    }


def test_accuracies_have_their_mean(built):
    for result in page.read_results(built / "results.json"):
        of_each = [result.measures[f"test_{task}"] for task in ("vqa", "gqa", "nlvr2")]
        assert result.measures["accuracy"] == pytest.approx(sum(of_each) / 3)


def test_the_sheet_shows_rows_of_the_test_alone(built, asked_folder, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(page, "draw_answers", lambda some: shown.extend(some) or "sheet")
    monkeypatch.setattr(page, "save_sheet", lambda sheet, path: None)
    page.draw_some(built / page.plain(page.SINGLE) / "5", tmp_path / "sheet.jpg")
    folds = {row.id: row.fold for row in read_questions(asked_folder / "seen/manifest.jsonl")}
    assert shown and {folds[one.row.id] for one in shown} == {"test"}
    assert {one.row.task for one in shown} == set(page.SHOWN)
    assert len({(one.row.id, one.said) for one in shown}) == len(shown)


def test_published_tables_have_all_rows_with_their_own_figures():
    of_images, of_videos = page.published_tables().split("\n\n")
    assert len(of_images.splitlines()) == 2 + len(ROWS) and {*PAPER, *REPRODUCED} == set(ROWS)
    assert len(of_videos.splitlines()) == 2 + len(VIDEO)
    line = next(n for n in of_images.splitlines() if n.startswith("| Single Adapter |"))
    assert "| 4.18 | 65.9 | 54.5 | 74.2 | 114.9 |" in line and "76.93 ± 0.25" in line


def test_the_page_holds_the_published_tables():
    text = (ROOT / "docs/vision_language.md").read_text(encoding="utf-8")
    assert f"<!-- published: begin -->\n{page.published_tables()}\n<!-- published: end -->" in text
