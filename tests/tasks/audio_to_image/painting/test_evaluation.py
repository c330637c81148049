"""mcgurk evaluate on painters: what is painted, compared with what, and what is told."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from data_prep.mixtures.manifest import MANIFEST, read_mixtures, write_mixtures
from modalities.tensor_file import write_tensors
from modalities.vision_language.image_text import random_image_text
from tasks.__main__ import run
from tasks.audio_to_image.painting.card import CARD, read_card
from tasks.audio_to_image.painting.ear import Ear
from tasks.audio_to_image.painting.evaluation.config import PaintingEvaluationConfig
from tasks.audio_to_image.painting.evaluation.features import PIXELS, Features, shrink
from tasks.audio_to_image.painting.evaluation.scores import MEANS, score_pictures
from tasks.audio_to_image.painting.training import Painting

pytest.importorskip("diffusers")


@pytest.fixture
def folder(adapter_config, tmp_path: Path, monkeypatch) -> Path:
    """Write a painter of embeddings that were handed in; two rows validate, six train."""
    monkeypatch.chdir(tmp_path)
    Painting(replace(adapter_config, shown=0)).export(tmp_path / "painter", {})
    return tmp_path / "painter"


@pytest.fixture
def hearing(adapter_config, tones, separator, tmp_path: Path) -> Path:
    """Write a painter of mixtures, of which three train or validate, and one tests."""
    config = replace(
        adapter_config,
        data=replace(adapter_config.data, folder=str(tones)),
        shown=0,
        separator=str(separator),
        embeddings=str(tmp_path / "heard"),
    )
    Painting(config).export(tmp_path / "hearing", {})
    return tmp_path / "hearing"


def test_a_painter_is_measured_without_any_model(folder, capsys):
    assert run(["evaluate", str(folder), "--part", "all", "-o", "out"]) == 0
    told = capsys.readouterr().out
    assert "inception=FILE gives FID and KID" in " ".join(told.split())
    scores = json.loads(Path("out/scores.json").read_text())["scores"]
    assert set(scores) == {"pixels", "pixels-z"} and -1 <= scores["pixels"] <= 1
    sheet = cv2.imread("out/pictures.png")
    assert sheet.shape == (2 * 68, 8 * 68, 3)
    assert "| pixels |" in Path("out/report.md").read_text()


class Layers(nn.Module):
    """Features of fewer numbers than Inception's: the mean of each colour."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.mean((2, 3))


class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = Layers()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.layers(pictures)


def test_every_measure_is_told_where_its_model_is_given(folder, capsys, monkeypatch):
    torch.jit.script(Whole()).save("inception.pt")
    clip = random_image_text()
    load = "modalities.vision_language.image_text.load_image_text"
    monkeypatch.setattr(load, lambda name, whole=False: clip)
    write_tensors("sounds.safetensors", {str(n): torch.randn(clip.dim) for n in range(8)})
    given = ("inception=inception.pt", "image_text=clip", "sounds=sounds.safetensors")
    code = run(["evaluate", str(folder), *given, "--part", "all", "--json", "-o", "out"])
    out, err = capsys.readouterr()
    assert code == 0, err
    scores = json.loads(out)["scores"]
    assert set(scores) == set(MEANS) and scores["FID"] >= 0
    assert all(np.isfinite(value) for value in scores.values())


def test_clips_are_drawn_by_the_seed(folder, capsys):
    found = []
    for seed in (0, 0, 1):
        typed = ("--part", "all", "--clips", "3", "--seed", str(seed), "--json")
        assert run(["evaluate", str(folder), *typed, "-o", f"out{len(found)}"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1] != found[2]
    assert found[0]["facts"]["clips"].startswith("3 of ")


def test_mixtures_are_heard_as_in_the_training(hearing, tones, capsys, monkeypatch, tmp_path):
    """Those of the training are not heard again; others are, and all of them where none tests."""
    monkeypatch.setattr(Ear, "listen", None)
    assert run(["evaluate", str(hearing), "--part", "all", "-o", str(tmp_path / "a")]) == 0
    monkeypatch.undo()
    rows = [replace(row, fold="") for row in read_mixtures(tones / MANIFEST)]
    write_mixtures(tmp_path / "others" / MANIFEST, rows)
    typed = (f"mixtures={tmp_path / 'others'}", "--json", "-o", str(tmp_path / "b"))
    assert run(["evaluate", str(hearing), *typed]) == 0
    out = capsys.readouterr().out
    assert json.loads(out.splitlines()[-1])["facts"]["clips"].startswith("4 of ")


def test_right_pictures_score_above_exchanged_ones():
    random = np.random.default_rng(0)
    true = list(random.integers(0, 255, (6, 8, 8, 3)).astype(np.uint8))
    right, wrong = Features({PIXELS: shrink}), Features({PIXELS: shrink})
    right.add(true[:4], true[:4])
    right.add(true[4:], true[4:])
    wrong.add(true[1:] + true[:1], true)
    scores = [score_pictures(features, None, 0) for features in (right, wrong)]
    assert scores[0]["pixels"] == pytest.approx(1) and scores[0]["pixels-z"] > 1
    assert scores[1]["pixels"] < 0.5 and scores[1]["pixels-z"] < 0.5


FAULTS = {
    "too few": (("--part", "test"), "0 clips for 'test'"),
    "a part": (("--part", "tset"), "tset"),
    "clips": (("--clips", "2"), "clips is 2"),
    "no inception": (("--part", "all", "inception=no.pt"), "There is no no.pt"),
    "another file": (("--part", "all", "inception=painter/painter.json"), "not Inception"),
    "sounds alone": (("sounds=a.safetensors",), "without image_text"),
    "no mixtures": (("mixtures=nowhere",), "nowhere"),
    "an option of others": (("--questions", "a"), "--questions is no option"),
}


@pytest.mark.parametrize(("typed", "told"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_in_one_line(folder, capsys, typed, told):
    assert run(["evaluate", str(folder), *typed, "-o", "out"]) == 2
    err = capsys.readouterr().err
    assert told in err and err.startswith("mcgurk: ") and err.count("\n") == 1
    assert not Path("out/scores.json").exists()


def test_a_painter_that_does_not_say_what_it_learnt_wants_mixtures(folder, capsys):
    card = read_card(folder)
    (folder / CARD).write_text(json.dumps({**vars(card), "pictures": {}}))
    assert run(["evaluate", str(folder), "-o", "out"]) == 2
    assert "expected mixtures=FOLDER" in capsys.readouterr().err


def test_sounds_that_lack_a_row_are_told(folder, capsys, monkeypatch):
    clip = random_image_text()
    load = "modalities.vision_language.image_text.load_image_text"
    monkeypatch.setattr(load, lambda name, whole=False: clip)
    write_tensors("sounds.safetensors", {"0": torch.zeros(16)})
    typed = ("image_text=clip", "sounds=sounds.safetensors", "--part", "all", "-o", "out")
    assert run(["evaluate", str(folder), *typed]) == 2
    assert "lacks '1' and 6 others" in capsys.readouterr().err


def test_numbers_that_cannot_be_are_told():
    for entries in ({"seed": -1}, {"shown": 25}, {"clips": 1}):
        with pytest.raises(ValueError, match="expected"):
            PaintingEvaluationConfig(**entries)
