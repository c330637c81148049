"""Edits by experts that a router weighs for each token, beside plainer ways to mix them.

`python -m tools.conditions_routed [--seeds N]` trains what is not there yet on a frozen small FLUX,
and keeps what was measured under build/conditions.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from math import log
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional

from fusion.conditions.catalog import build_preset
from fusion.conditions.injection import Injection, inject
from fusion.conditions.routing.losses import expert_loss
from fusion.conditions.routing.routed_experts import RoutedExperts
from modalities.diffusion.measure.loss import loss
from modalities.tensor_file import read_tensors, write_tensors
from tools.conditions_edits import TASKS, Edits, draw_edits, judge_edits
from tools.conditions_flux import PATH, TIME, FluxPainter, load_painter, paint_flow
from tools.conditions_training import FOLDER, Lesson, begin_study, draw_sheet, learn, run_study
from tools.digit_lessons import seeded

NAME, STUDY = "edit", "routed"
SEEDS, DRAWN, TESTED = 3, 4000, 400
LESSON = Lesson(steps=900, rate=6e-3, warmup=50, batch=24)
FACTORS = {"load": 0.1, "mask": 0.02, "mixture": 0.02}
PERMUTED = 500  # how often tasks are dealt out anew, to see what chance alone gives
SMALL = {"every": 1, "heads": 2, "key_dim": 32, "hidden": 32, "task_dim": len(TASKS)}
PLAIN = {"mixture": False, "repaint": "none"}
SETTINGS = {**asdict(LESSON), "pictures": TESTED}
FULL, SIGNED, REPAINT, MIXTURE = "care_edit", "signed", "repaint", "mixture"
TOKEN, SAMPLE, STATIC, ONE = "token", "sample", "static", "one"
# What differs from the preset, beside sizes for a small FLUX.
SYSTEMS: dict[str, dict[str, Any]] = {
    TOKEN: PLAIN,
    STATIC: {**PLAIN, "routing": "static", "k": 4},
    SAMPLE: {**PLAIN, "routing": "sample"},
    ONE: {**PLAIN, "experts": ("base",), "k": 1, "heads": 8},
    FULL: {},
    "k1": {**PLAIN, "k": 1},
    "k2": {**PLAIN, "k": 2},
    "k4": {**PLAIN, "k": 4},
    SIGNED: {"repaint": "signed"},
    REPAINT: {"mixture": False},
    MIXTURE: {"repaint": "none"},
}
SHOWN = {
    FULL: "CARE-Edit",
    TOKEN: "experts by token",
    SAMPLE: "experts by picture",
    STATIC: "static sum",
    ONE: "one expert",
}


def build_experts(painter: FluxPainter, system: str, seed: int) -> RoutedExperts:
    """Build the experts of a system.

    Args:
        painter: That they stand on.
        system: A name of SYSTEMS.
        seed: Fixes their weights.
    """
    changes = {NAME: {**SMALL, **SYSTEMS[system]}}
    built: Any = seeded(seed, lambda: build_preset(painter.flux, "care_edit", changes)[NAME])
    return built


def teach_edits(
    painter: FluxPainter, system: str, seed: int, lesson: Lesson = LESSON, drawn: int = DRAWN
) -> tuple[Injection, float]:
    """Train the experts of a system on a frozen FLUX.

    Args:
        painter: The FLUX.
        system: A name of SYSTEMS.
        seed: Fixes weights, edits and times.
        lesson: How long and how fast.
        drawn: Edits that it learns from.

    Returns:
        The experts on the FLUX, and seconds of the processor's time.
    """
    experts = build_experts(painter, system, seed)
    injection, edits = inject(painter.flux, {NAME: experts}), draw_edits("train", drawn, seed)
    factors = _factors(experts)

    def losses(generator: Generator) -> Mapping[str, Tensor]:
        some = edits.take(torch.randint(drawn, (lesson.batch,), generator=generator))
        with injection.tell(*some.conditions(NAME, experts.needs)), experts.watch() as watched:
            found = loss(
                painter, some.target, PATH, time=TIME, cond=some.words, generator=generator
            )
        if not factors:
            return found
        wanted = functional.avg_pool2d(some.mask, 2)
        return {**found, "loss": found["loss"] + expert_loss(watched, factors, wanted)}

    experts.train()
    cool = partial(_cool, experts, lesson.steps)
    learnt = learn([experts], losses, lesson, seed, cool)
    experts.eval()
    return injection, learnt.seconds


def _factors(experts: RoutedExperts) -> dict[str, float]:
    """Return what losses count, of those that these experts have."""
    options = experts.options
    there = {
        "load": options.routing != STATIC and len(options.experts) > 1,
        "mask": options.repaint != "none",
        "mixture": options.mixture,
    }
    return {name: factor for name, factor in FACTORS.items() if there[name]}


def _cool(experts: RoutedExperts, steps: int, step: int) -> None:
    experts.anneal(step / steps)


def measure_edits(
    painter: FluxPainter, injection: Injection, edits: Edits
) -> tuple[Tensor, dict[str, Any]]:
    """Paint edits, and measure them and how experts were used.

    Args:
        painter: The FLUX.
        injection: Experts on it.
        edits: What is asked for.

    Returns:
        The pictures; and "both", of all and by task, percent of them in which both halves of the
        shape are as they are to be; "inside" and "outside", percent; "error" of all else, of 255;
        "information" of task and expert in bits, and the most that 95 % of deals by chance have;
        "usage" of experts by task.
    """
    experts: Any = injection.injectors[NAME]
    with experts.watch() as watched:
        painted = paint_flow(
            painter, edits.words, 1, injection, edits.conditions(NAME, experts.needs)
        )
    found = judge_edits(painted, edits)
    told: dict[str, Any] = {
        name: 100 * float(found[name].double().mean()) for name in ("inside", "outside", "both")
    }
    told["error"] = 127.5 * float(found["error"].mean())
    for number, task in enumerate(TASKS):
        told[task] = 100 * float(found["both"][edits.tasks == number].double().mean())
    weights = [one.weights.mean(1) for one in watched.trace.decided]
    if weights and len(weights[0]) == len(edits):
        usage = torch.stack(weights).mean(0).double()  # [rows, experts]
        told |= measure_usage(usage, edits.tasks)
    return painted, told


def measure_usage(usage: Tensor, tasks: Tensor) -> dict[str, Any]:
    """Return how much the task says of which expert counts.

    Args:
        usage: What each expert counts in each picture, [rows, experts], 1 together.
        tasks: Numbers of tasks, [rows].
    """
    generator = torch.Generator().manual_seed(0)
    dealt = [
        _information(usage, tasks[torch.randperm(len(tasks), generator=generator)])
        for _ in range(PERMUTED)
    ]
    by_task = {task: usage[tasks == number].mean(0).tolist() for number, task in enumerate(TASKS)}
    most = float(torch.tensor(dealt).quantile(0.95))
    return {"information": _information(usage, tasks), "by_chance": most, "usage": by_task}


def _information(usage: Tensor, tasks: Tensor) -> float:
    """Return the mutual information of task and expert, bits."""
    groups = [usage[tasks == task] for task in tasks.unique()]
    shares = torch.tensor([len(group) / len(tasks) for group in groups], dtype=usage.dtype)[:, None]
    means = torch.stack([group.mean(0) for group in groups])
    whole = (shares * means).sum(0).clamp(min=1e-12)
    return float((shares * torch.special.xlogy(means, means / whole)).sum()) / log(2)


def run_system(system: str, seed: int, folder: Path = FOLDER) -> dict[str, Any]:
    """Train a system with a seed, and measure it; pictures of the first seed are kept.

    Returns:
        What `measure_edits` tells, "seconds" of the training and how many "weights" it trained.
    """
    painter, test = load_painter(), draw_edits("test", TESTED, 1)
    injection, seconds = teach_edits(painter, system, seed)
    painted, told = measure_edits(painter, injection, test)
    injection.remove()
    if seed == 0:
        place = folder / f"{STUDY}/{system}.safetensors"
        place.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(place, {"painted": painted})
    return {**told, "seconds": seconds, "weights": injection.count().trained}


def draw_edited(folder: Path, edits: Edits, most: int = 8) -> None:
    """Draw what was asked for and what the systems of SHOWN painted, with the first seed.

    Args:
        folder: Where pictures were kept.
        edits: What was asked for.
        most: How many, each task in turn.
    """
    lines = {
        "as it is": edits.source,
        "reference": edits.reference,
        "mask": 2 * edits.mask - 1,
        f"to be, by {', '.join(TASKS)}": edits.target,
    }
    for system in SHOWN:
        kept = read_tensors(
            folder / f"{STUDY}/{system}.safetensors", "run the study", "run it anew"
        )
        lines[SHOWN[system]] = kept["painted"]
    draw_sheet(lines, folder / f"{STUDY}.png", most)


def main() -> None:
    """Run the study."""
    seeds = begin_study("routed", __doc__, SEEDS)
    run_study(STUDY, SYSTEMS, seeds, run_system, SETTINGS)
    draw_edited(FOLDER, draw_edits("test", TESTED, 1))


if __name__ == "__main__":
    main()
