"""What holds for every task that can be trained, over the table of experiments."""

import json
import wave
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fusion.audio_visual.agreement import AgreementNetwork, AgreementOptions
from modalities.network_file import save_network
from modalities.vision.lips import LipNetwork, LipOptions
from tasks.audio_to_image.painting.manifest import SoundedPicture, write_examples
from tasks.config import read_config
from tasks.experiments import EXPERIMENTS, STUDIES, WRITES
from tasks.training.loop import LoopOptions, train
from tasks.training.plain_numbers import plain_numbers
from tools.render_questions import RenderOptions as AskingOptions
from tools.render_questions import render_folder as render_questions
from tools.render_scenes import RenderOptions, render_folder

LOOP = "loop: {steps: 2, batch: 2, warmup: 0, measure_every: 2}"
CLIPS = f"""
data: {{folder: FOLDER}}
{LOOP}
"""
# A small experiment of each task. A task without one fails the first test.
SMALL: dict[str, str] = {
    "lips": f"lips: {{channels: [4, 8], dim: 16, layers: 1}}{CLIPS}",
    "agreement": f"lips: FOLDER/lips.safetensors{CLIPS}",
    "selector": f"selector: {{channels: 4}}\nvalidation_clips: 2{CLIPS}",
    "avsr": f"fusion: joint\nlips: FOLDER/lips.safetensors\noptions: {{rank: 2}}\n"
    f"agreement: FOLDER/agreement.safetensors\nvalidation_clips: 1{CLIPS}",
    "audio_classification": "data: {folder: FOLDER/sounds, validation: 0.2}\nencoder: FOLDER/ast\n"
    "window_s: 0.5\nmethod: bottleneck\noptions: {rank: 2}\naugment: {frequency: 4, time: 9}\n"
    f"{LOOP}",
    "segmentation": "data: {folder: FOLDER/masks}\nmodel: FOLDER/clipseg\nmethod: sa_vlc\n"
    f"options: {{rank: 4, condition_rank: 4}}\n{LOOP}",
    "vision_language": "data: {manifests: [FOLDER/questions], measured: 3, tested: 3}\n"
    "model: FOLDER/bart\nimages: FOLDER/clipseg\noptions: {rank: 2}\nsampling: {batch: 3}\n"
    f"writing: {{beams: 1, longest: 6}}\n{LOOP}",
    "separation": "data: {sounds: {folder: FOLDER/sounds, validation: 0.2}}\n"
    "network: {sources: 2, window_s: 0.5, widths: [4, 4, 8], squeeze: 2}\n"
    f"mixtures: {{measured: [2], count: 2}}\n{LOOP}",
    "painting": "stage: base\ndata: {folder: FOLDER/pictures, validation: 0.2}\n"
    "steps: 2\nshown: 2\n"
    "small: {height: 8, width: 8, channels: [16, 16], attention: [0], heads: 2, groups: 4, "
    f"token_dim: 8}}\n{LOOP}",
    "painting_condition": "kind: size\npainter: scenes\noptions: {rank: 2}\nshown: 2\n"
    f"data: {{folder: FOLDER/pictures, validation: 0.2, sizes: [8x8]}}\n{LOOP}",
}


def test_every_task_is_tested_here():
    assert set(SMALL) == set(EXPERIMENTS)
    assert set(WRITES) == {*EXPERIMENTS, *STUDIES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_prepared, save_tiny_clipseg, save_tiny_bart) -> Path:
    """Clips, sounds and small networks that the experiments name."""
    from modalities.audio.ast import random_ast

    folder = write_prepared(tmp_path_factory.mktemp("prepared"), 3.0)
    torch.manual_seed(0)
    lips = LipNetwork(LipOptions(words=("one", "two"), channels=(4, 8), dim=16, layers=1))
    save_network(lips, folder / "lips.safetensors")
    agreement = AgreementNetwork(AgreementOptions(lip_dim=16, channels=8, dim=4))
    save_network(agreement, folder / "agreement.safetensors")
    sizes = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48)
    random_ast(**sizes).model.save_pretrained(folder / "ast")
    options = RenderOptions(count=10, size=48, prompts=2, wordings=1)
    render_folder(folder / "masks", options, workers=1)
    save_tiny_clipseg(folder / "clipseg")
    asked = AskingOptions(count=12, size=96, questions=2)
    render_questions(folder / "questions", asked, workers=1)
    save_tiny_bart(folder / "bart", folder / "clipseg")
    random = np.random.default_rng(0)
    write_pictures(folder / "pictures", random)
    for number in range(12):
        path = folder / "sounds" / ("loud" if number % 2 else "soft") / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            noise = random.standard_normal(8000) * (8000 if number % 2 else 500)
            file.writeframes(noise.clip(-32_768, 32_767).astype("<i2").tobytes())
    return folder


def write_pictures(folder: Path, random: np.random.Generator) -> None:
    """Write pictures of noise that a denoiser can learn."""
    folder.mkdir()
    rows = []
    for number in range(6):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), random.integers(0, 256, (8, 8, 3)).astype(np.uint8))
        rows.append(SoundedPicture(str(number), str(path)))
    write_examples(folder, rows)


@pytest.fixture(scope="module", params=SMALL)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def build(name, folder, tmp_path_factory) -> Callable[[], tuple[Any, Any]]:
    """Builds the task of a name and its configuration, from a file in YAML."""
    path = tmp_path_factory.mktemp(name) / "experiment.yaml"
    path.write_text(f"task: {name}\n{SMALL[name].replace('FOLDER', str(folder))}\n")
    kind, make = EXPERIMENTS[name]()

    def make_both() -> tuple[Any, Any]:
        config = read_config(kind, path)
        return config, make(config)

    return make_both


@pytest.fixture(scope="module")
def built(build) -> tuple[Any, Any, dict[str, Tensor]]:
    """A configuration, its task for tests that train nothing, and its weights at the start."""
    config, task = build()
    return config, task, {k: value.clone() for k, value in task.module.state_dict().items()}


def flat(value: Any) -> list[Any]:
    """Return tensors and arrays in dicts, sequences and dataclasses, in their order."""
    if isinstance(value, Tensor | np.ndarray):
        return [torch.as_tensor(value)]
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]
    elif is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, field.name) for field in fields(value)]
    if isinstance(value, list | tuple):
        return [one for inner in value for one in flat(inner)]
    return []


def test_a_configuration_is_a_frozen_dataclass_with_a_loop(built):
    config, _, _ = built
    assert is_dataclass(config) and type(config).__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert isinstance(config.loop, LoopOptions) and config.loop.steps == 2


def test_a_goal_that_is_not_measured_is_told_before_anything_is_loaded(name, tmp_path):
    kind, _ = EXPERIMENTS[name]()
    path = tmp_path / "experiment.yaml"
    path.write_text(f"task: {name}\n{SMALL[name]}\n")
    for changes in (["best=nothing"], ["schedule=plateau", "watch=-nothing"]):
        with pytest.raises(ValueError, match="no 'nothing' is measured; known: loss"):
            read_config(kind, path, [f"loop.{change}" for change in changes])
    assert read_config(kind, path, ["loop.best=-loss"]).loop.best == "-loss"


def test_examples_come_from_their_own_seed(built):
    _, task, _ = built
    assert task.size >= 2
    torch.manual_seed(1)
    first = flat(task.collate([task.load(n, np.random.default_rng(n)) for n in range(2)]))
    torch.manual_seed(2)  # what is drawn elsewhere does not matter
    second = flat(task.collate([task.load(n, np.random.default_rng(n)) for n in range(2)]))
    assert first and len(first) == len(second)
    assert all(torch.equal(one, two) for one, two in zip(first, second, strict=True))


def test_a_batch_gives_a_loss_that_reaches_what_is_trained_and_nothing_else(built):
    _, task, _ = built
    assert isinstance(task.module, nn.Module)
    task.module.train()
    losses = task.module(task.collate([task.load(n, np.random.default_rng(n)) for n in range(2)]))
    assert losses["loss"].ndim == 0 and losses["loss"].isfinite()
    assert all(isinstance(value, Tensor) and value.ndim == 0 for value in losses.values())
    losses["loss"].backward()
    reached = [p for p in task.module.parameters() if p.grad is not None]
    assert reached and all(parameter.requires_grad for parameter in reached)


def test_it_is_the_same_each_time_it_is_built_and_it_trains_measures_and_exports(
    built, build, tmp_path
):
    config, task = build()
    before = {key: value.clone() for key, value in task.module.state_dict().items()}
    _, _, other = built
    assert list(other) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in other.items())
    found = train(task, config.loop, tmp_path / "out", device="cpu")
    assert plain_numbers("found", found) == found and found["step"] == 2
    tested = {f"test_{name}" for name in getattr(task, "test_scores", {})}
    assert {*found, *tested} - {"step"} <= set(config.measures)
    lines = (tmp_path / "out/metrics.jsonl").read_text().splitlines()
    assert "loss" in json.loads(lines[-1]) and json.loads(lines[-1])["measured"]
    written = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert written > {"checkpoint.pt", "metrics.jsonl", "curves.png"}
    names = {path.relative_to(tmp_path / "out").parts[0] for path in (tmp_path / "out").rglob("*")}
    assert names <= {entry.rstrip("/") for entry in WRITES[config.task]}
    after = task.module.state_dict()
    assert any(not torch.equal(after[key], value) for key, value in before.items())
