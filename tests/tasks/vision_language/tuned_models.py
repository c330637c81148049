"""Small tuned models, and what they are asked: a row for each of four tasks."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from modalities.vision_language.vl_model import Encoded, VisionLanguage
from tasks.vision_language.tuned import Tuned, tune

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
    "vl_pet": {"rank": 8, "gate_rank": 4},
}
# Method and sharing; rows of a batch can be of any task.
MIXED = [
    *(("adapter", sharing) for sharing in ("single", "multiple", "half_up", "half_down")),
    *(("compacter", sharing) for sharing in ("single", "multiple", "half_up")),
    ("hyperformer", "single"),
    *(("lora", sharing) for sharing in ("single", "multiple")),
    ("prompt", "single"),
    ("vl_pet", "single"),
    ("bitfit", "single"),
    ("full", "single"),
]
CASES = [(f, *case) for case in MIXED for f in ("bart", "t5") if (f, case[0]) != ("t5", "bitfit")]


def tuned_of(
    family: str, method: str, sharing: str = "single", by: float = 0.1, **options: Any
) -> Tuned:
    """Return a small tuned model whose trained weights are off their start, by this deviation."""
    tuned = tune(build(family), method, TASKS, sharing, {**SMALL.get(method, {}), **options})
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in tuned.trained():
            parameter += by * torch.randn(parameter.shape, generator=generator)
    return tuned


def encode(vl: VisionLanguage, rows: Sequence[int] = range(4)) -> Encoded:
    tokens = vl.tokenize([TEXTS[row] for row in rows])
    return vl.encode(tokens.ids, tokens.mask, features_of(4)[list(rows)])


def logits_of(vl: VisionLanguage, rows: Sequence[int] = range(4)) -> Tensor:
    return vl.logits(encode(vl, rows), vl.tokenize(ANSWERS).ids[list(rows)])
