"""A configuration for each published table of VL-Adapter: its recipe, and what to expect."""

from pathlib import Path
from statistics import mean

import pytest

from tasks.config import changed, read_config
from tasks.experiments import STUDIES
from tasks.vision_language.config import VisionLanguageConfig
from tasks.vision_language.published import DEVIATIONS, PAPER, REPRODUCED, T5, VIDEO
from tasks.vision_language.variants import ROWS

CONFIGS = Path(__file__).resolve().parents[3] / "configs/vision_language"
FILES = {"bart_images": ROWS, "t5_images": T5, "bart_videos": {*VIDEO, "single_prompt"}}


def read(name: str):
    kind, _ = STUDIES["study"]()
    return read_config(kind, CONFIGS / f"{name}.yaml")


def base_of(study) -> VisionLanguageConfig:
    from tasks.config import filled

    return filled(VisionLanguageConfig, study.base, "base")


@pytest.mark.parametrize("table", [PAPER, REPRODUCED, T5])
def test_averages_are_the_means_of_their_cells(table):
    for row in table.values():
        assert row.average == pytest.approx(mean(row[1:5]), abs=0.06)
    for row in VIDEO.values():
        assert row.average == pytest.approx(mean(row[1:5]), abs=0.06)


@pytest.mark.parametrize(("name", "rows"), FILES.items())
def test_a_study_has_every_row_with_its_method_and_rate(name, rows):
    study = read(name)
    titles = {ROWS[key].title: ROWS[key] for key in rows}
    assert set(study.rows) == set(titles) and len(study.seeds) == 3 and study.seeds[0] == 9595
    for title, row in titles.items():
        config = changed(base_of(study), study.rows[title])
        assert (config.method, config.sharing) == (row.method, row.sharing)
        if name == "bart_images":
            assert config.loop.learning_rate == row.rate


def test_images_are_trained_as_published():
    config = base_of(read("bart_images"))
    sizes = {"vqa": 500, **config.sampling.batches}
    assert sizes == {"vqa": 500, "gqa": 833, "nlvr2": 166, "caption": 416}
    assert config.sampling.batch == 500 and config.sampling.kind == "proportional"
    assert (config.model, config.images) == ("bart-base", "clip-rn101")
    loop = config.loop
    assert (loop.epochs, loop.clip_norm, loop.eps, loop.weight_decay) == (20, 5.0, 1e-6, 0.01)
    assert loop.schedule == "linear" and not loop.best  # the last weights, not the best
    assert loop.warmup == pytest.approx(0.1 * 20 * 4386, rel=0.001)
    assert (config.writing.beams, config.writing.longest) == (5, 20)


@pytest.mark.parametrize("name", FILES)
def test_the_comment_tells_what_to_expect(name):
    text = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
    table = {"bart_images": REPRODUCED, "t5_images": T5, "bart_videos": VIDEO}[name]
    for key, row in table.items():
        assert f"{ROWS[key].title}: {', '.join(f'{value:.2f}' for value in row[1:])}" in text
    assert f"mcgurk train configs/vision_language/{name}.yaml" in text
    if name == "bart_images":
        assert all(f"{value:g}" in text for of in DEVIATIONS.values() for value in of)
