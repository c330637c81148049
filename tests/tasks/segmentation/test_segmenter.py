"""Fit, segment, evaluate; and segmenters on disk."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from data_prep.masks.images import read_image
from fusion.adapters.interface import Adapters
from modalities.vision_language.clipseg_files import load_clipseg, save_clipseg
from tasks.segmentation import Segmented, Segmenter
from tasks.segmentation.card import CARD
from tasks.segmentation.config import PromptOptions
from tasks.segmentation.evaluation.config import SegmentationEvaluationConfig
from tasks.segmentation.segmenter_files import load_segmenter, save_segmenter
from tasks.segmentation.training import Segmentation
from tasks.training.loop import train

from .conftest import tiny_clipseg

PROMPTS = ["a red thing", "the blue one"]
WAYS = {
    "da_v": {"method": "da_v"},
    "da_vlc": {"method": "da_vlc"},
    "sa_vlc": {},
    "sa_vl and the decoder": {"method": "sa_vl", "options": {"rank": 3}, "train_decoder": True},
    "decoder": {"method": "decoder"},
    "full": {"method": "full"},
    "lora": {"method": "lora", "options": {"rank": 2}},
    "lora at two roles": {"method": "lora", "where": ("vision.q", "text.v")},
    "lora and the decoder": {"method": "lora", "train_decoder": True},
    "bottleneck": {"method": "bottleneck", "options": {"rank": 3}},
    "bitfit and the decoder": {"method": "bitfit", "train_decoder": True},
    "unet": {"method": "unet"},
}


def picture() -> np.ndarray:
    return np.random.default_rng(0).random((40, 70, 3), np.float32)


@pytest.mark.parametrize("way", WAYS)
def test_what_was_trained_is_what_is_saved_and_loaded(experiment, tmp_path, way):
    config = experiment(**WAYS[way])
    task = Segmentation(config)
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    train(task, config.loop, tmp_path, device="cpu")
    task.model.eval()
    after = task.model.state_dict()
    assert any(not torch.equal(value, before[name]) for name, value in after.items())
    loaded, card = load_segmenter(tmp_path)
    batch = task.collate([task._shown(task.parts["test"], g) for g in task.parts["test"].groups])
    live = {
        "pixels": torch.stack([task.parts["test"]._pixels(g) for g in task.parts["test"].groups])
    }
    if "states" in batch:
        states = batch.pop("states")
        with torch.no_grad():
            assert torch.equal(states, torch.stack(task.model.clipseg.see(live["pixels"]), 1))  # type: ignore[union-attr]
    with torch.no_grad():
        assert torch.equal(loaded.logits(batch | live), task.model.logits(batch | live))
    assert card.method == config.method and card.trained == task.trained
    names = {path.name for path in tmp_path.iterdir() if path.suffix == ".safetensors"}
    assert names == {
        *({"model.safetensors"} if config.method in ("full", "unet") else ()),
        *({"decoder.safetensors"} if config.method == "decoder" or config.train_decoder else ()),
    }


def test_saved_adapters_hold_nothing_frozen_and_a_fresh_model_takes_them(experiment, tmp_path):
    config = experiment(method="da_vl", options={"rank": 4})
    task = Segmentation(config)
    train(task, config.loop, tmp_path, device="cpu")
    tensors = {}
    for file in (tmp_path / "adapter").rglob("*.safetensors"):
        tensors |= {f"{file.parent.name}.{name}": v for name, v in load_file(file).items()}
    assert sum(value.numel() for value in tensors.values()) == task.trained
    fresh = load_clipseg(config.model)
    Adapters(fresh).load(tmp_path / "adapter", "mine")
    trained = task.model.eval().clipseg  # type: ignore[union-attr]
    tokens = fresh.tokenize(PROMPTS)
    pixels = fresh.pictures.prepare(picture())[None].expand(2, -1, -1, -1)
    with torch.no_grad():
        assert torch.equal(
            fresh(pixels, tokens.ids, tokens.mask), trained(pixels, tokens.ids, tokens.mask)
        )
        Adapters(fresh).use(None)
        bare = load_clipseg(config.model)
        assert torch.equal(
            fresh(pixels, tokens.ids, tokens.mask), bare(pixels, tokens.ids, tokens.mask)
        )


def test_three_verbs(experiment, squares, tmp_path):
    seen: list[float] = []
    config = experiment(prompts=PromptOptions(use="p1"))
    fitted = Segmenter.fit(config, tmp_path / "set", lambda done, _all: seen.append(done), "cpu")
    assert seen == [1, 2, 3, 4] and isinstance(fitted, Segmenter)
    image = read_image(squares / "9.png").values
    found = fitted.segment(image, PROMPTS)
    assert all(isinstance(one, Segmented) for one in found)
    assert found[0].mask.shape == image.shape[:2] and found[0].prompt == PROMPTS[0]
    loaded = Segmenter.load(tmp_path / "set", "cpu")
    assert np.array_equal(loaded.probability(image, PROMPTS), fitted.probability(image, PROMPTS))
    evaluation = SegmentationEvaluationConfig(masks=str(squares), prompts="p1", worst=0)
    fitted.evaluate(evaluation, tmp_path / "report")
    report = json.loads((tmp_path / "report/scores.json").read_text())
    assert report["overall"]["masks"] == 4
    assert 100 * report["overall"]["dice"] == pytest.approx(fitted.card.scores["test_dice"])


def test_unet_is_fitted_evaluated_and_heeds_no_prompt(experiment, squares, tmp_path):
    fitted = Segmenter.fit(experiment(method="unet"), tmp_path / "set", None, "cpu")
    image = read_image(squares / "9.png").values
    one = fitted.probability(image, ["x", "y"], ["red", "red"])
    assert np.array_equal(one[0], one[1])
    fitted.evaluate(SegmentationEvaluationConfig(masks=str(squares), worst=0), tmp_path / "report")
    assert Segmenter.load(tmp_path / "set", "cpu").card.method == "unet"


def test_a_bare_model_segments_too(clipseg_folder):
    bare = Segmenter.load(clipseg_folder, "cpu")
    assert bare.card.trained == 0 and bare.card.method == ""
    assert bare.probability(picture(), PROMPTS).shape == (2, 40, 70)
    assert not any(p.requires_grad for p in bare.model.parameters())


# What is wrong with a folder


@pytest.fixture(scope="module")
def fitted(experiment, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("fitted")
    config = experiment(train_decoder=True)
    train(Segmentation(config), config.loop, folder, device="cpu")
    return folder


@pytest.fixture
def copied(fitted, tmp_path) -> Path:
    return Path(shutil.copytree(fitted, tmp_path / "copy"))


def test_another_place_of_the_same_model_is_taken(copied, clipseg_folder, tmp_path):
    moved = Path(shutil.copytree(clipseg_folder, tmp_path / "moved"))
    expected = Segmenter.load(copied, "cpu").probability(picture(), PROMPTS)
    card = json.loads((copied / CARD).read_text())
    (copied / CARD).write_text(json.dumps({**card, "model": str(tmp_path / "gone")}))
    with pytest.raises(ValueError, match="gone"):
        Segmenter.load(copied, "cpu")
    found = Segmenter.load(copied, "cpu", model=str(moved)).probability(picture(), PROMPTS)
    assert np.array_equal(found, expected)


def test_a_model_of_another_size_is_refused(copied, tmp_path):
    wide = dict(hidden_size=24, intermediate_size=32, num_hidden_layers=4, num_attention_heads=2)
    other = tiny_clipseg(vision_config=dict(wide, image_size=48, patch_size=16))
    save_clipseg(other, tmp_path / "other")
    with pytest.raises(ValueError, match="other weights"):
        Segmenter.load(copied, "cpu", model=str(tmp_path / "other"))
    card = json.loads((copied / CARD).read_text())
    (copied / CARD).write_text(json.dumps({**card, "weights": ""}))  # where no hash is known
    with pytest.raises(ValueError, match="does not fit"):
        Segmenter.load(copied, "cpu", model=str(tmp_path / "other"))


def test_a_model_of_the_same_size_and_other_weights_is_refused(copied, tmp_path):
    save_clipseg(tiny_clipseg(seed=5), tmp_path / "other")
    with pytest.raises(ValueError, match="other weights"):
        Segmenter.load(copied, "cpu", model=str(tmp_path / "other"))


def test_folders_that_are_not_whole_are_named(copied):
    decoder = copied / "decoder.safetensors"
    data = decoder.read_bytes()
    decoder.write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="decoder.safetensors"):
        Segmenter.load(copied, "cpu")
    decoder.unlink()
    with pytest.raises(FileNotFoundError, match="decoder.safetensors; the segmenter is not whole"):
        Segmenter.load(copied, "cpu")
    decoder.write_bytes(data)
    shutil.move(copied / "adapter", copied / "elsewhere")
    with pytest.raises(FileNotFoundError, match="adapter"):
        Segmenter.load(copied, "cpu")
    shutil.move(copied / "elsewhere", copied / "adapter")
    Segmenter.load(copied, "cpu")
    (copied / CARD).write_text("{")
    with pytest.raises(ValueError, match="segmenter.json is damaged"):
        Segmenter.load(copied, "cpu")
    (copied / CARD).unlink()
    with pytest.raises(FileNotFoundError, match="segmenter.json"):
        Segmenter.load(copied, "cpu")


def test_unknown_names_and_devices_are_told(clipseg_folder):
    with pytest.raises(ValueError, match="No model 'nobody'.*scenes"):
        Segmenter.load("nobody", "cpu")
    with pytest.raises(ValueError, match="No device 'quantum'"):
        Segmenter.load(clipseg_folder, "quantum")


def test_a_folder_that_was_not_finished_has_no_card(fitted, tmp_path, monkeypatch):
    """What is written last is what tells that all is there."""
    model, card = load_segmenter(fitted)
    copy = Path(shutil.copytree(fitted, tmp_path / "copy"))
    monkeypatch.setattr("tasks.segmentation.segmenter_files.write_tensors", fail)
    with pytest.raises(OSError):
        save_segmenter(copy, model, replace(card, data="again"))
    assert not (copy / CARD).exists()


def fail(*_given) -> None:
    raise OSError("disk full")
