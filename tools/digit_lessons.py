"""Trainings on noisy digits: adapters, banks and routers on an ear, by the loop of all tasks."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from modalities.whole_file import replace_when_whole
from tasks.training.loop import train
from tasks.training.options import LoopOptions
from tools.noisy_digits import Clips, DigitEar, Route, measure_errors

MEASURED = "measured.json"
BATCH, WARMUP = 16, 10
# From the ear and a batch: losses by name, "loss" among them.
Losses = Callable[[DigitEar, Clips], Mapping[str, Tensor]]


def digit_loss(route: Route | None = None) -> Losses:
    """Return the plain loss, the cross-entropy of digits.

    Args:
        route: Tells a bank of a batch, as `lambda batch: bank.route(tasks=batch.tasks)`.
    """

    def losses(ear: DigitEar, batch: Clips) -> dict[str, Tensor]:
        with nullcontext() if route is None else route(batch):
            return {"loss": functional.cross_entropy(ear(batch.states), batch.digits)}

    return losses


class _Learner(nn.Module):
    def __init__(self, ear: DigitEar, losses: Losses):
        super().__init__()
        self.ear, self.losses = ear, losses

    def forward(self, batch: Clips) -> dict[str, Tensor]:
        return dict(self.losses(self.ear, batch))


class DigitLesson:
    """Noisy digits as the loop wants a task.

    What is trained is what requires a gradient in the ear.

    Args:
        ear: With adapters on it.
        clips: To learn from.
        validation: To look at; None looks at nothing.
        scenarios: Names, in the order of the clips' tasks.
        losses: From the ear and a batch to losses by name, as `digit_loss` returns it.
        route: Tells a bank of a batch that is measured.
    """

    def __init__(
        self,
        ear: DigitEar,
        clips: Clips,
        validation: Clips | None,
        scenarios: Sequence[str],
        losses: Losses,
        route: Route | None = None,
    ):
        self.ear = ear
        self.module: nn.Module = _Learner(ear, losses)
        self.size = len(clips)
        self.clips, self.validation = clips, validation
        self.scenarios, self.route = scenarios, route

    def load(self, index: int, random: np.random.Generator) -> int:
        """Return the clip's number: batches are taken at once."""
        return index

    def collate(self, examples: list[int]) -> Clips:
        """Take the clips of a batch."""
        return self.clips.take(examples)

    def measure(self) -> dict[str, float]:
        """Return the mean digit errors of the scenarios, percent."""
        if self.validation is None:
            return {}
        found = measure_errors(self.ear, self.validation, self.scenarios, self.route)
        return {"errors": sum(found.values()) / len(found)}

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Nothing: the checkpoint holds what was trained."""


def teach(lesson: DigitLesson, options: LoopOptions, folder: Path) -> dict[str, float]:
    """Train, or take what was trained before in the folder; return the last measurement.

    Raises:
        ValueError: The folder holds another training.
        OSError: It cannot be written.
    """
    found = train(lesson, options, folder, device="cpu")
    lesson.module.eval()
    return found


@dataclass(frozen=True)
class Way:
    """How long and how fast something is learnt.

    Attributes:
        steps: How many.
        rate: Step size at its height.
    """

    steps: int
    rate: float


def loop_options(way: Way, seed: int) -> LoopOptions:
    """Return how a training of the studies goes; it looks at the validation at its end."""
    return LoopOptions(
        steps=way.steps,
        batch=BATCH,
        learning_rate=way.rate,
        warmup=WARMUP,
        seed=seed,
        measure_every=way.steps,
    )


def measured_once(place: Path, measure: Callable[[], Any]) -> Any:
    """Return what is kept as JSON, or measure and keep it.

    Raises:
        OSError: It cannot be written.
    """
    if place.exists():
        return json.loads(place.read_text(encoding="utf-8"))
    found = measure()
    place.parent.mkdir(parents=True, exist_ok=True)
    with replace_when_whole(place) as partial:
        partial.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found


def seeded(seed: int, make: Callable[[], Any]) -> Any:
    """Make something that draws its start by chance, the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def need_measured(folder: Path, pattern: str) -> list[Any]:
    """Return what `measured_once` has kept in the folders that a pattern fits, in their order.

    Raises:
        FileNotFoundError: There is nothing.
    """
    places = sorted(folder.glob(f"{pattern}/{MEASURED}"))
    if not places:
        raise FileNotFoundError(f"{folder}/{pattern} has no {MEASURED}; run `make routers`.")
    return [json.loads(place.read_text(encoding="utf-8")) for place in places]


def told_parts(parts: Mapping[str, Callable[[], list[str]]]) -> list[str]:
    """Return the paragraphs of the parts of a section that are measured; then what is not.

    Args:
        parts: What returns paragraphs, by what it tells of.

    Raises:
        FileNotFoundError: Nothing of it is measured.
    """
    found: list[str] = []
    missing: dict[str, FileNotFoundError] = {}
    for name, tell in parts.items():
        try:
            found += tell()
        except FileNotFoundError as error:
            missing[name] = error
    if not found:
        raise next(iter(missing.values()))
    return found + [f"Not measured yet: {', '.join(missing)}."] * bool(missing)


def plain(name: str) -> str:
    """Return a name that folders can have."""
    return name.replace(", ", "_").replace(" ", "_").replace("(", "").replace(")", "")
