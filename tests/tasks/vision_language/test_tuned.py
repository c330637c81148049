"""Tuned models: one model, several tasks, and what of it is trained."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from modalities.vision_language.vl_model import VisionLanguage
from tasks.vision_language.tuned import Tuned, tune
from tasks.vision_language.tuned_files import load_tuned, save_tuned

from ...modalities.vision_language.small_models import build, features_of

TASKS = ["vqa", "gqa", "nlvr2", "caption"]
TEXTS = ["what colour is the car ?", "is the car red ?", "the car is red", "a blue car"]
ANSWERS = ["red", "true", "false", "a car"]
SMALL: dict[str, dict[str, Any]] = {
    "adapter": {"rank": 8},
    "compacter": {"rank": 8},
    "hyperformer": {"rank": 8},
    "lora": {"rank": 4},
    "prompt": {"tokens": 3, "hidden": 5},
}
ALL = [
    *(("adapter", sharing) for sharing in ("single", "multiple", "half_up", "half_down")),
    *(("compacter", sharing) for sharing in ("single", "multiple", "half_up")),
    ("hyperformer", "single"),
    *(("lora", sharing) for sharing in ("single", "multiple")),
    ("prompt", "single"),
    ("bitfit", "single"),
    ("full", "single"),
]


def tuned_of(family: str, method: str, sharing: str = "single", **options: Any) -> Tuned:
    """Return a small tuned model whose trained weights are off their start."""
    tuned = tune(build(family), method, TASKS, sharing, {**SMALL.get(method, {}), **options})
    disturb(tuned)
    return tuned


@torch.no_grad()
def disturb(tuned: Tuned) -> None:
    generator = torch.Generator().manual_seed(3)
    for parameter in tuned.trained():
        parameter += 0.1 * torch.randn(parameter.shape, generator=generator)


def encode(vl: VisionLanguage, rows: Sequence[int] = range(4)):
    tokens = vl.tokenize([TEXTS[row] for row in rows])
    return vl.encode(tokens.ids, tokens.mask, features_of(4)[list(rows)])


def logits_of(vl: VisionLanguage, rows: Sequence[int] = range(4)) -> Tensor:
    targets = vl.tokenize(ANSWERS).ids
    return vl.logits(encode(vl, rows), targets[list(rows)])


def loss_of(tuned: Tuned) -> Tensor:
    with tuned.use(TASKS):
        return logits_of(tuned.vl).square().mean()


@pytest.mark.parametrize("family", ["bart", "t5"])
@pytest.mark.parametrize(("method", "sharing"), ALL)
def test_what_is_saved_and_loaded_gives_the_same_logits(family, method, sharing, tmp_path):
    if (family, method) == ("t5", "bitfit"):
        pytest.skip("T5 has no biases")
    tuned = tuned_of(family, method, sharing)
    save_tuned(tuned, tmp_path)
    loaded = load_tuned(build(family), tmp_path)
    with torch.no_grad(), tuned.use(TASKS), loaded.use(TASKS):
        expected = logits_of(tuned.vl)
        torch.testing.assert_close(logits_of(loaded.vl), expected, rtol=0, atol=0)
        torch.testing.assert_close(logits_of(loaded.vl), expected, rtol=0, atol=0)
    assert loaded.count() == tuned.count() and loaded.tasks == tuned.tasks
