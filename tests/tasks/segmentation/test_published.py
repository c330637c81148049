"""A configuration for each published row of VLSM-Adapter: its recipe, and its result."""

import re
from pathlib import Path

import pytest

from data_prep.datasets.masks.catalog import MASK_DATASETS
from tasks.config import read_config
from tasks.experiments import EXPERIMENTS
from tasks.segmentation.config import SegmentationConfig
from tasks.segmentation.published import METHODS, PUBLISHED, TITLES, UNET_DICE
from tasks.training.options import LoopOptions

CONFIGS = Path(__file__).resolve().parents[3] / "configs/segmentation"
RATES = {"full": 1e-3, "sa_vlc": 3e-4, "da_vl": 1e-3}
ROWS = [(name, method) for name in PUBLISHED for method in RATES]
RESULT = re.compile(r"# Published: Dice ([\d.]+) %, IoU ([\d.]+) %, HD95 ([\d.]+) px")
MASKS_A_PICTURE = {"camus": 3, "chexlocalize": 1279 / 412}  # of the published splits, on average


def read(name: str, method: str) -> SegmentationConfig:
    kind, _ = EXPERIMENTS["segmentation"]()
    return read_config(kind, CONFIGS / f"{name}_{method}.yaml")


def test_the_table_has_every_cell_of_eight_sets():
    assert len(PUBLISHED) == 8 and set(PUBLISHED) == set(TITLES) == set(UNET_DICE)
    assert set(PUBLISHED) <= set(MASK_DATASETS)
    for cells in PUBLISHED.values():
        assert set(cells) == set(METHODS)
        assert all(30 < cell.iou < cell.dice < 100 and cell.hd95_px > 0 for cell in cells.values())


@pytest.mark.parametrize(("name", "method"), ROWS)
def test_the_comment_tells_the_published_result(name, method):
    text = (CONFIGS / f"{name}_{method}.yaml").read_text(encoding="utf-8")
    found = RESULT.search(text)
    assert found and tuple(map(float, found.groups())) == PUBLISHED[name][method]
    assert f"mcgurk train configs/segmentation/{name}_{method}.yaml " in text
    assert TITLES[name] in text.splitlines()[0]


@pytest.mark.parametrize(("name", "method"), ROWS)
def test_a_row_has_the_recipe_of_the_paper(name, method):
    config = read(name, method)
    assert (config.data.dataset, config.method) == (name, method)
    assert config.model == "clipseg-rd64-refined" and config.loss == "paper"
    assert not config.options and not config.train_decoder  # widths as published
    assert config.prompts.use == "random" and not config.prompts.unrelated
    assert bool(config.features) == (method == "sa_vlc")
    masks = config.loop.batch * MASKS_A_PICTURE.get(name, 1)
    assert masks == pytest.approx(32, rel=0.1)
    if name not in MASKS_A_PICTURE:
        assert config.loop.batch == 32 and config.prompts.each == 1


@pytest.mark.parametrize(("name", "method"), ROWS)
def test_a_row_is_trained_as_in_the_paper(name, method):
    """Its early stopping asks for 1e-4 of 1, which is 0.01 of our percent."""
    batch = read(name, method).loop.batch
    assert read(name, method).loop == LoopOptions(
        epochs=200,
        batch=batch,
        learning_rate=RATES[method],
        warmup=0,
        weight_decay=1e-3,
        clip_norm=0.5,
        precision="float16",
        measure_every=0,
        schedule="plateau",
        watch="-validation_loss",
        factor=0.3,
        patience=5,
        best="dice",
        stop_after=20,
        min_delta=0.01,
        least_epochs=10,
        seed=41,
    )
