"""Segmentation by a prompt: kept features, memory of training, many prompts, size of adapters."""

import itertools
import tempfile
from argparse import Namespace
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.compare import Row, compare
from bench.peak import run_for_peak
from modalities.vision_language.clipseg import ClipSeg, Pictures
from modalities.vision_language.clipseg_files import PUBLISHED, RANDOM, random_clipseg, save_clipseg
from tasks.segmentation.card import bare_card
from tasks.segmentation.config import MaskDataOptions, SegmentationConfig
from tasks.segmentation.model import ADAPTER, PromptedModel
from tasks.segmentation.predictor import Predictor
from tasks.segmentation.training import Segmentation
from tools.render_scenes import RenderOptions, render_folder

SCENES, FEW_SCENES, PROMPTS = 30, 5, 8  # of ten scenes eight are for training
WORDS = 49_408  # of the published tokenizer; that of "scenes" has fewer
# Two steps: the optimiser has its own memory from the first one on.
MEMORY = """
import sys
import torch
from bench.segmentation import full_size, train_step
model = full_size(sys.argv[1])
optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
for _ in range(2):
    train_step(model, optimiser)
"""


def rows(given: Namespace) -> list[Row]:
    """Measure on rendered scenes and random weights; what is found does not matter here."""
    return [*_epochs(), _memory(), *_prompts(), _file()]


def full_size(method: str) -> PromptedModel:
    """Build a model of the published size, with random weights.

    Args:
        method: A name that `SegmentationConfig` knows; "" for the frozen model as it is.
    """
    sizes = PUBLISHED | {"text_config": {"vocab_size": WORDS}}
    clipseg = random_clipseg(pictures=Pictures(), config=sizes)
    return PromptedModel(clipseg, SegmentationConfig(method=method))


def train_step(model: PromptedModel, optimiser: torch.optim.Optimizer) -> None:
    """Learn from two pictures with a prompt each."""
    side = model.pictures.side
    tokens = model.clipseg.tokenize(["a round polyp at the right", "two tumors"])
    batch = {
        "picture": torch.arange(2),
        "truth": torch.zeros(2, side, side),
        "pixels": torch.zeros(2, 3, side, side),
        "ids": tokens.ids,
        "mask": tokens.mask,
    }
    optimiser.zero_grad()
    model(batch)["loss"].backward()
    optimiser.step()


def _epochs() -> list[Row]:
    """Train an epoch of the small model, and a short one of the published size."""
    narrow = {
        "sa_vlc": {"rank": 64, "condition_rank": 32},
        "da_vl": {"rank": 16},
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        render_folder(folder / "many", RenderOptions(SCENES, 5, 160, 1, 1), workers=1)
        render_folder(folder / "few", RenderOptions(FEW_SCENES, 5, 160, 1, 1), workers=1)
        save_clipseg(full_size("").clipseg, folder / "model")
        few = SegmentationConfig(data=MaskDataOptions(folder=str(folder / "few")))
        many = replace(few, data=MaskDataOptions(folder=str(folder / "many")), model=RANDOM)
        return [
            *_epochs_of(replace(few, model=str(folder / "model")), {}, 2, "150 M", runs=2),
            *_epochs_of(many, narrow, 8, "3 M", runs=3),
        ]


def _epochs_of(
    config: SegmentationConfig, options: dict[str, Any], batch: int, size: str, runs: int
) -> list[Row]:
    def build(method: str) -> Segmentation:
        return Segmentation(replace(config, method=method, options=options.get(method, {})))

    kept = build("sa_vlc")
    what = f"an epoch of {kept.size} scenes, SA-VLC with kept features, CLIPSeg of {size}"
    ours = partial(_epoch, kept, _optimiser(kept), batch)
    found = []
    for peer, method in (("DA-VL", "da_vl"), ("end to end", "full")):
        task = build(method)
        theirs = partial(_epoch, task, _optimiser(task), batch)
        found.append(compare(what, peer, ours, theirs, "<= 0.125", runs))
    return found


def _optimiser(task: Segmentation) -> torch.optim.AdamW:
    return torch.optim.AdamW([p for p in task.model.parameters() if p.requires_grad])


def _epoch(task: Segmentation, optimiser: torch.optim.AdamW, batch: int) -> None:
    random = np.random.default_rng(0)
    for start in range(0, task.size, batch):
        stop = min(start + batch, task.size)
        examples = [task.load(n, random) for n in range(start, stop)]
        optimiser.zero_grad()
        task.model(task.collate(examples))["loss"].backward()
        optimiser.step()


def _memory() -> Row:
    """Train two steps of each in a process of its own."""
    dense, whole = (run_for_peak(MEMORY, method) for method in ("da_vl", "full"))
    what = "peak memory of training DA-VL, CLIPSeg of 150 M, 2 pictures"
    return Row(what, "end to end", dense, whole, "MB", dense / whole, "<= 0.7")


def _prompts() -> list[Row]:
    model = full_size("")
    predictor = Predictor(model, bare_card("random", model.size), "cpu")
    image = np.random.default_rng(0).random((416, 416, 3), np.float32)
    numbers = itertools.count()  # what was read once is remembered: each call asks anew

    def ours(count: int) -> np.ndarray:
        asked = [f"a round tumor, number {next(numbers)}" for _ in range(count)]
        return predictor.probability(image, asked)

    def theirs(count: int) -> Tensor:
        asked = [f"a round tumor, number {next(numbers)}" for _ in range(count)]
        return _as_transformers_does(model.clipseg, image, asked)

    what = f"{PROMPTS} prompts on one picture, CLIPSeg of 150 M"
    many = partial(ours, PROMPTS)
    return [
        compare(what, "one prompt", many, partial(ours, 1), "<= 2.5", runs=3),
        compare(what, "transformers", many, partial(theirs, PROMPTS), "<= 0.4", runs=3),
    ]


@torch.no_grad()
def _as_transformers_does(clipseg: ClipSeg, image: np.ndarray, prompts: list[str]) -> Tensor:
    """Encode the picture once for each prompt."""
    pixels = clipseg.pictures.prepare(image)[None].expand(len(prompts), -1, -1, -1)
    tokens = clipseg.tokenize(prompts)
    found = clipseg.model(
        input_ids=tokens.ids,
        attention_mask=tokens.mask,
        pixel_values=pixels,
        interpolate_pos_encoding=True,
    )
    return found.logits.sigmoid()


def _file() -> Row:
    """Weigh what a trained segmenter keeps, in float32, against the model that it belongs to."""
    model = full_size("da_vl")
    assert model.adapters is not None
    with tempfile.TemporaryDirectory() as name:
        model.adapters.save(Path(name), ADAPTER)
        held = sum(path.stat().st_size for path in Path(name).rglob("*.safetensors"))
    ours, whole = held / 1e6, 4 * model.size / 1e6
    what = "adapter file of DA-VL, CLIPSeg of 150 M"
    return Row(what, "the frozen weights", ours, whole, "MB", ours / whole, "about 12 MB")
