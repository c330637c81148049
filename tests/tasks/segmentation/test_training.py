"""From images with masks to a segmenter: killed, gone on with, with kept features or without."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from data_prep.masks.manifest import read_masks, write_masks
from tasks.__main__ import run
from tasks.segmentation.card import read_card
from tasks.segmentation.config import PromptOptions
from tasks.segmentation.segmenter import Segmenter
from tasks.segmentation.segmenter_files import load_segmenter
from tasks.segmentation.training import Segmentation, overlap
from tasks.training.loop import CHECKPOINT, train

from .conftest import count_calls


def fit(config, folder: Path) -> dict[str, float]:
    return train(Segmentation(config), config.loop, folder, None, "cpu")


def trained_state(folder: Path) -> dict[str, Tensor]:
    model, _ = load_segmenter(folder)
    return model.state_dict()


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert list(one) == list(other)
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def without_test(folder: Path) -> None:
    rows = [row for row in read_masks(folder / "manifest.jsonl") if row.fold != "test"]
    write_masks(folder / "manifest.jsonl", rows)


# What it learns


@pytest.mark.parametrize("method", ["sa_vlc", "da_vl", "decoder", "full", "lora", "unet"])
def test_training_lowers_the_loss_and_scores_what_it_exports(experiment, tmp_path, method):
    config = experiment(method=method)
    config = replace(config, loop=replace(config.loop, steps=30, measure_every=10))
    found = fit(config, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    measured = [row for row in rows if row.get("measured")]
    assert measured[-1]["validation_loss"] < measured[0]["validation_loss"]
    assert {"loss", "dice_loss", "cross_entropy"} <= set(rows[-1])
    card = read_card(tmp_path)
    assert card.scores["dice"] == found["dice"]
    assert {"test_dice", "test_iou", "test_hd95_px"} <= set(card.scores)
    assert 0 <= card.scores["test_dice"] <= 100
    assert card.method == method and card.labels == ("blue", "red") and card.trained > 0


def test_papers_loss_trains_by_dice_alone(experiment, tmp_path):
    fit(experiment(loss="paper"), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        assert "cross_entropy" not in row
        assert row["loss"] == pytest.approx(1.5 * row["dice_loss"], rel=1e-5)


def test_several_classes_are_one_prompt_each_of_one_image(experiment):
    task = Segmentation(experiment(prompts=PromptOptions(use="p1", each=2)))
    example = task.load(0, np.random.default_rng(0))
    truth = example["truth"]
    assert isinstance(truth, Tensor) and truth.shape == (2, 48, 48)
    assert sorted(example["texts"]) == ["blue square", "red square"]  # type: ignore[call-overload]
    assert not (truth[0] * truth[1]).any()
    for text, mask, label in zip(example["texts"], truth, example["label"], strict=True):  # type: ignore[call-overload]
        group = task.parts["train"].groups[0]
        [row] = [row for row in group if row.label == text.split()[0]]
        assert torch.equal(mask, task.parts["train"].truth(row))
        assert task.labels[int(label)] == row.label
    batch = task.collate([example, task.load(1, np.random.default_rng(1))])
    assert batch["picture"].tolist() == [0, 0, 1, 1] and len(batch["states"]) == 2
    assert task.model.logits(batch).shape == (4, 48, 48)


def test_an_unrelated_prompt_asks_for_an_empty_mask(experiment):
    prompts = PromptOptions(unrelated=0.5, unrelated_texts=("a bus",))
    task = Segmentation(experiment(prompts=prompts))
    seen = set()
    for seed in range(12):
        example = task.load(0, np.random.default_rng(seed))
        unrelated = example["texts"] == ["a bus"]
        assert bool(example["truth"].any()) == (not unrelated)  # type: ignore[attr-defined]
        seen.add(unrelated)
    assert seen == {True, False}


def test_unet_is_taught_every_mask_whatever_the_prompts_are(experiment, own_squares, tmp_path):
    """It reads none, so that an empty mask for an unrelated one would only confuse it."""
    path = own_squares / "manifest.jsonl"
    write_masks(path, [replace(row, prompts={}) for row in read_masks(path)])
    prompts = PromptOptions(unrelated=0.9)
    task = Segmentation(experiment(folder=own_squares, method="unet", prompts=prompts))
    for seed in range(8):
        assert task.load(seed % task.size, np.random.default_rng(seed))["truth"].any()  # type: ignore[attr-defined]
    fit(task.config, tmp_path / "out")
    assert "test_dice" in read_card(tmp_path / "out").scores


# What is measured


def test_dice_is_a_mean_over_masks_and_two_empty_ones_are_right():
    truth = torch.zeros(4, 10, 10, dtype=torch.bool)
    said = truth.clone()
    truth[0], said[0] = True, True  # a large one, found
    truth[1, 0, 0] = True  # a small one, missed
    said[2, 0, 0] = True  # nothing there, something said; and of the last one both are empty
    dice, iou = overlap(said, truth)
    assert dice.tolist() == iou.tolist() == [1, 0, 0, 1]
    half = torch.zeros(1, 2, 2, dtype=torch.bool)
    half[0, 0] = True
    dice, iou = overlap(half, torch.tensor([[[True, False], [True, False]]]))
    assert dice.item() == pytest.approx(0.5) and iou.item() == pytest.approx(1 / 3)


def test_validation_is_a_mean_over_masks_not_over_pixels(experiment, monkeypatch):
    task = Segmentation(experiment(method="sa_vlc"))
    part = task.parts["validation"]
    shown = task.collate([task._shown(part, group) for group in part.groups])
    truth = shown["truth"]
    said = truth.clone()
    said[0] = 0  # of four masks one is missed
    monkeypatch.setattr(task.model, "logits", lambda batch: 20 * said - 10)
    found = task.measure()
    assert found["dice"] == pytest.approx(75) and found["iou"] == pytest.approx(75)
    monkeypatch.setattr(task.model, "logits", lambda batch: 20 * truth - 10)
    assert task.measure()["dice"] == pytest.approx(100)


def test_validation_gives_a_mask_the_same_prompt_each_time(experiment):
    tasks = [Segmentation(experiment()) for _ in range(2)]
    shown = [
        [task._shown(task.parts["validation"], g)["texts"] for g in task.parts["validation"].groups]
        for task in tasks
    ]
    assert shown[0] == shown[1]
    with torch.no_grad():
        assert tasks[0].measure() == tasks[0].measure() == tasks[1].measure()


# Kept features


def test_a_second_training_runs_no_encoder_and_learns_the_same(
    experiment, own_squares, tmp_path, monkeypatch
):
    without_test(own_squares)  # a segmenter that is tested sees the test images itself
    states, counted = [], []
    for name, kept in (("memory", ""), ("first", "kept"), ("second", "kept")):
        features = str(tmp_path / kept) if kept else ""
        config = experiment(folder=own_squares, features=features)
        task = Segmentation(config)
        counted.append(count_calls(task.model.clipseg, monkeypatch))
        train(task, config.loop, tmp_path / name, device="cpu")
        states.append(trained_state(tmp_path / name))
    assert counted[0] == counted[1] and counted[0]["see"] == 8  # six that train, and two
    assert counted[2] == {"see": 0, "read": 0}
    assert_same(states[0], states[1])
    assert_same(states[0], states[2])


def test_shallow_training_is_the_same_with_the_encoders_in_the_loop(
    experiment, tmp_path, monkeypatch
):
    config = experiment()
    fit(config, tmp_path / "kept")
    from tasks.segmentation.model import PromptedModel

    monkeypatch.setattr(PromptedModel, "untouched", False)
    task = Segmentation(config)
    assert task.features is None
    train(task, config.loop, tmp_path / "live", device="cpu")
    kept, live = trained_state(tmp_path / "kept"), trained_state(tmp_path / "live")
    for name, value in kept.items():  # a batch is seen at once, or one by one
        torch.testing.assert_close(value, live[name], rtol=1e-2, atol=1e-3)


# Interruptions


class Killed(Exception):
    pass


@pytest.mark.parametrize("method", ["sa_vlc", "da_vl", "full", "unet"])
def test_a_killed_training_ends_at_the_same_weights_and_scores(experiment, tmp_path, method):
    config = experiment(method=method, prompts=PromptOptions(unrelated=0.3))
    loop = replace(config.loop, steps=6, measure_every=2, best="dice", checkpoint_every=1)
    config = replace(config, loop=loop, features=str(tmp_path / "features"))
    whole = fit(config, tmp_path / "whole")
    for stop in (3, 5):

        def show(done: float, _all: float | None, stop: int = stop) -> None:
            if done == stop:
                raise Killed

        with pytest.raises(Killed):
            train(Segmentation(config), config.loop, tmp_path / "killed", show, "cpu")
        assert (tmp_path / "killed" / CHECKPOINT).is_file()
    assert fit(config, tmp_path / "killed") == whole
    assert_same(trained_state(tmp_path / "whole"), trained_state(tmp_path / "killed"))
    cards = [read_card(tmp_path / name).scores for name in ("whole", "killed")]
    for scores in cards:
        scores.pop("seconds")
    assert cards[0] == cards[1] and "test_dice_unrelated" in cards[0]


def test_a_corrupt_image_in_the_middle_stops_with_its_name_and_keeps_what_was_learnt(
    experiment, own_squares, tmp_path
):
    config = experiment(folder=own_squares, method="da_v")
    config = replace(config, loop=replace(config.loop, steps=8, checkpoint_every=1))
    fit(config, tmp_path / "whole")
    task = Segmentation(config)
    spoilt = own_squares / "3.png"
    whole = spoilt.read_bytes()

    def spoil(done: float, _all: float | None) -> None:
        if done == 2:
            spoilt.write_bytes(whole[:200])

    with pytest.raises(ValueError, match=r"3\.png"):
        train(task, config.loop, tmp_path / "out", spoil, "cpu")
    kept = torch.load(tmp_path / "out" / CHECKPOINT, weights_only=True)
    assert 2 <= kept["step"] < 8
    spoilt.write_bytes(whole)
    fit(config, tmp_path / "out")
    assert_same(trained_state(tmp_path / "whole"), trained_state(tmp_path / "out"))


# What bad input gets


def yaml(path: Path, config, more: str = "") -> str:
    path.write_text(
        f"""
task: segmentation
data: {{folder: {config.data.folder}}}
model: {config.model}
loop: {{steps: 2, batch: 2, warmup: 0, measure_every: 2}}
{more}
"""
    )
    return str(path)


def told(capsys) -> str:
    line = capsys.readouterr().err.strip()
    assert "\n" not in line and "Traceback" not in line
    return line


def test_the_commands_name_what_is_wrong_in_one_line(experiment, own_squares, tmp_path, capsys):
    config = experiment(folder=own_squares)
    out = ["-o", str(tmp_path / "out")]

    def ask(more: str = "method: sa_v", *arguments: str) -> str:
        path = yaml(tmp_path / "config.yaml", config, more)
        assert run(["train", path, *out, *arguments]) == 2
        return told(capsys)

    assert "Did you mean 'da_vl'?" in ask("method: da_vlk")
    assert "no option 'ranc'" in ask("method: da_vl\noptions: {ranc: 3}")
    assert "No device 'tpu'" in ask("method: sa_v", "--device", "tpu")
    assert "it has p0, p1, p2" in ask("method: sa_v\nprompts: {use: p9}")
    mask, image = own_squares / "6_red.png", own_squares / "7.png"
    whole = mask.read_bytes()
    mask.write_bytes((own_squares / "7_red.png").read_bytes())  # of another size
    line = ask()
    assert str(mask) in line and "expected the same" in line
    mask.write_bytes(whole)
    image.write_bytes(image.read_bytes()[:200])
    assert str(image) in ask()
    path = yaml(tmp_path / "config.yaml", config, "method: sa_v")
    assert run(["train", path, "-o", str(tmp_path / "new"), "--skip-bad"]) == 0
    assert any(str(image) in line for line in read_card(tmp_path / "new").left_out)


def test_a_mask_in_which_all_is_marked_is_named_after_the_training(
    experiment, own_squares, tmp_path, capsys
):
    mask = own_squares / "6_red.png"
    cv2.imwrite(str(mask), np.full(cv2.imread(str(mask)).shape[:2], 255, np.uint8))
    path = yaml(tmp_path / "config.yaml", experiment(folder=own_squares), "method: sa_v")
    assert run(["train", path, "-o", str(tmp_path / "out"), "--json"]) == 0
    assert told(capsys) == "mcgurk: Masks in which all is marked: 6_red."


def test_a_corrupt_test_image_costs_no_training(experiment, own_squares, tmp_path):
    config = experiment(folder=own_squares)
    image = own_squares / "8.png"
    whole = image.read_bytes()
    image.write_bytes(whole[:200])
    with pytest.raises(ValueError, match=r"8\.png"):
        fit(config, tmp_path / "out")
    image.write_bytes(whole)
    done: list[float] = []
    train(Segmentation(config), config.loop, tmp_path / "out", lambda d, _: done.append(d), "cpu")
    assert done == [] and "test_dice" in read_card(tmp_path / "out").scores


def test_a_folder_without_masks_is_told(experiment, own_squares, tmp_path, capsys):
    path = own_squares / "manifest.jsonl"
    write_masks(path, [replace(row, mask="") for row in read_masks(path)])
    config = yaml(tmp_path / "config.yaml", experiment(folder=own_squares))
    assert run(["train", config, "-o", str(tmp_path / "out")]) == 2
    assert "no images with masks to train on" in told(capsys)


def test_no_validation_or_test_images_are_no_error(experiment, own_squares, tmp_path):
    rows = [row for row in read_masks(own_squares / "manifest.jsonl") if row.fold == "train"]
    write_masks(own_squares / "manifest.jsonl", rows)
    config = experiment(folder=own_squares)
    config = replace(config, data=replace(config.data, validation=0.0))
    assert set(fit(config, tmp_path / "out")) <= {"step", "loss", "dice_loss", "cross_entropy"}
    assert Segmenter.load(tmp_path / "out", "cpu").card.scores.keys() == {"seconds"}
