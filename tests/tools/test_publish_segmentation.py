"""The page of segmentation is made from what a study left, and the BUSI sheet stays beside it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tasks.config import read_config
from tasks.experiments import find_experiment
from tasks.segmentation.published import DA_VL, METHODS, PUBLISHED, SA_VLC
from tasks.segmentation.training import Segmentation
from tasks.training.study import StudyConfig, run_study
from tasks.training.study_runs import Result
from tools import publish_segmentation as page
from tools.render_scenes import RenderOptions, render_folder

ROOT = Path(__file__).resolve().parents[2]
BUSI = ROOT / "configs/segmentation/busi_study.yaml"
MARKS = "".join(f"<!-- {n}: begin -->\n<!-- {n}: end -->\n" for n in ("published", "study"))


@pytest.fixture(scope="module")
def built(tmp_path_factory, save_tiny_clipseg) -> Path:
    """A study with the rows that the page speaks of, two steps each, of the smallest size."""
    folder = tmp_path_factory.mktemp("study")
    render_folder(folder / "masks", RenderOptions(10, size=48, prompts=1, wordings=1), workers=1)
    save_tiny_clipseg(folder / "clipseg")
    study = StudyConfig(
        of="segmentation",
        base={
            "data": {"folder": str(folder / "masks")},
            "model": str(folder / "clipseg"),
            "prompts": {"unrelated": 0.2},
            "loop": {"steps": 2, "batch": 2, "measure_every": 2, "best": "dice"},
        },
        rows={
            "zero-shot": ['method=""'],
            "DA-VL, rank 2": ["method=da_vl", "options={rank: 2}"],
            "SA-VLC, rank 2": ["method=sa_vlc", "options={rank: 2, condition_rank: 2}"],
            "full fine-tuning": ["method=full"],
            "U-Net": ["method=unet"],
        },
        seeds=(7,),
        measure="test_dice",
        columns=("test_iou", "test_hd95_px", "test_dice_unrelated"),
    )
    run_study(study, folder / "built", device="cpu", find=find_experiment)
    return folder / "built"


def test_one_command_makes_the_page(built, tmp_path, monkeypatch, capsys):
    (tmp_path / "segmentation.md").write_text(MARKS)
    monkeypatch.setattr(page, "BUILT", built)
    monkeypatch.setattr(page, "PAGE", tmp_path / "segmentation.md")
    page.main()
    text = (tmp_path / "segmentation.md").read_text()
    for row in ("zero-shot | 0 |", "DA-VL, rank 2 |", "SA-VLC, rank 2 |", "U-Net |"):
        assert f"\n| {row}" in text
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"segmentation.md", page.PLOT, page.SCENES_SHEET}
    assert f"]({page.PLOT})" in text and f"]({page.SCENES_SHEET})" in text
    assert (built / page.BUSI_SHEET).stat().st_size > 1000
    assert page.BUSI_SHEET in capsys.readouterr().out


def read(built: Path) -> list[Result]:
    return [Result(**one) for one in json.loads((built / "results.json").read_text())]


def test_a_unet_scores_the_same_whatever_is_asked_and_nothing_is_trained_of_zero_shot(built):
    measures = {result.row: result.measures for result in read(built)}
    assert measures["U-Net"]["test_dice"] == measures["U-Net"]["test_dice_unrelated"]
    assert measures["zero-shot"]["parameters"] == measures["zero-shot"]["seconds"] == 0


@pytest.mark.parametrize(("method", "spared"), [("unet", True), ("full", False)])
def test_a_unet_is_never_taught_that_what_is_there_is_not(built, method, spared):
    config = page.read_experiment(read(built)[0], built)
    prompts = replace(config.prompts, unrelated=0.999)
    task = Segmentation(replace(config, method=method, prompts=prompts))
    examples = [task.load(n, np.random.default_rng(n)) for n in range(task.size)]
    assert any(example["truth"].any() for example in examples) == spared  # type: ignore[attr-defined]


def test_the_study_on_busi_has_the_rows_that_the_page_speaks_of():
    rows = read_config(StudyConfig, BUSI).rows
    assert {page.ZERO_SHOT, page.ALL_OF_IT, page.UNET} < set(rows)
    for method in (SA_VLC, DA_VL):
        assert sum(row.startswith(f"{METHODS[method][0]},") for row in rows) == 1
    for start in (page.DENSE, page.SHALLOW):
        assert sum(row.startswith(start) for row in rows) == 3


def test_the_page_holds_the_published_table():
    text = (ROOT / "docs/segmentation.md").read_text(encoding="utf-8")
    table = page.published_table()
    assert f"<!-- published: begin -->\n{table}\n<!-- published: end -->" in text
    assert len(table.splitlines()) == 2 + len(PUBLISHED)
