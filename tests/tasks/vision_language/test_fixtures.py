"""Small parts of published data sets are learnt by heart, from files to scores, by commands."""

import json

import pytest

from tasks.__main__ import run
from tasks.config import read_config
from tasks.vision_language.config import VisionLanguageConfig
from tools import start_vision_language as start
from tools.join_fixtures import NAMES, join_fixtures

from ...conftest import ROOT

CONFIG = ROOT / "configs/vision_language/fixtures.yaml"
# A smaller model than the command's needs seconds.
SIZES = dict(d_model=64, encoder_layers=2, decoder_layers=2, encoder_ffn_dim=128)
SIZES |= dict(decoder_ffn_dim=128, init_std=0.1)


@pytest.fixture(scope="module")
def fixtures(shared_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fixtures")
    count = join_fixtures(shared_data / "vl", folder)
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    assert count == len(rows) == 17 and {row["fold"] for row in rows} == {"train"}
    assert {row["task"] for row in rows} == {"vqa", "gqa", "nlvr2", "caption"}
    return folder


@pytest.mark.timeout(900)  # 20 s of a core that does nothing else
def test_all_published_questions_are_answered_after_they_were_learnt(
    fixtures, tmp_path, monkeypatch
):
    monkeypatch.setattr(start, "SIZES", start.SIZES | SIZES)
    start.start_vision_language(tmp_path / "start", str(fixtures), images="scenes")
    changes = [f"data.manifests=[{fixtures}]", f"model={tmp_path / 'start'}"]
    changes += ["loop.learning_rate=0.004", "writing.beams=1"]
    trained, scored = tmp_path / "trained", tmp_path / "scored"
    assert run(["train", str(CONFIG), *changes, "-o", str(trained)]) == 0
    assert run(["evaluate", str(trained), "--part", "train", "-o", str(scored)]) == 0
    scores = json.loads((scored / "scores.json").read_text())["scores"]
    assert (scores["vqa"], scores["gqa"], scores["nlvr2"]) == (100, 100, 100)
    # Four of five captions are of one picture: repeating the best references comes to 204.
    assert scores["caption"] > 120


def test_the_configuration_learns_all_of_them_in_one_batch():
    config = read_config(VisionLanguageConfig, CONFIG)
    assert config.sampling.batch >= 17 and not config.data.validation
    assert len(NAMES) == 4
