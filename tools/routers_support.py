"""Effective support: of k experts trained together with their router, how many weigh?

Trained by `python -m tools.routers_rewarded`, kept under build/routers/rewarded.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fusion.routing.bank import Bank
from fusion.routing.presets import attach_preset
from fusion.routing.training import router_loss
from tasks.reports import to_table
from tools.digit_lessons import (
    MEASURED,
    DigitLesson,
    Losses,
    Way,
    digit_loss,
    loop_options,
    measured_once,
    plain,
    seeded,
    teach,
)
from tools.digit_tables import count_seeds, means_of, spread
from tools.noise_scenarios import TASKS
from tools.noisy_digits import BUILT, Clips, DigitEar, NoisyDigits, Route, measure_errors

FOLDER = BUILT / "rewarded"
FEED_FORWARD = ("fc1", "fc2")
EXPERTS, K, RANK = 8, 2, 4
TOGETHER = Way(150, 3e-3)
ROUTERS = ("softmax", "softmax, N(0, 1)", "ReMix, loss", "ReMix, errors")
Results = Sequence[Mapping[str, Any]]  # of each seed


def build_together(data: NoisyDigits, router: str, seed: int) -> tuple[DigitEar, Bank]:
    """Put experts with a router of `ROUTERS` on an ear, with a start that the seed draws."""
    ear = data.build_ear()
    changes: dict[str, Any] = {"experts": EXPERTS, "k": K, "rank": RANK}
    if router.startswith("softmax"):
        changes |= {"rule": "softmax_top_k", "alpha": float(RANK)}
    if router.endswith("N(0, 1)"):
        changes |= {"router_start": "normal", "std": 1.0}
    return ear, seeded(seed, lambda: attach_preset(ear, "remix", changes, FEED_FORWARD))


def train_together(data: NoisyDigits, router: str, seed: int) -> tuple[DigitEar, Bank]:
    """Train experts and router on the ten tasks, or take up what was trained."""
    ear, bank = build_together(data, router, seed)
    route = route_by(bank)
    if router.startswith("softmax"):
        losses = digit_loss(route)
    else:
        losses = reward_losses(bank, 2, by_errors=router.endswith("errors"))
    lesson = DigitLesson(ear, data.load(TASKS, "train"), None, TASKS, losses, route)
    teach(lesson, loop_options(TOGETHER, seed), place_of(router, seed))
    return ear, bank


def reward_losses(bank: Bank, draws: int, *, by_errors: bool) -> Losses:
    """Return ReMix's losses: every clip is heard with several draws, which are compared.

    Args:
        bank: Its rule draws subsets.
        draws: How many for each clip, 2 or more.
        by_errors: Whether a draw costs 1 where the digit is wrong and else 0; or its loss.
    """

    def losses(ear: DigitEar, batch: Clips) -> dict[str, Tensor]:
        states = batch.states.repeat(draws, 1, 1)
        digits = batch.digits.repeat(draws)
        with bank.route() as trace:
            logits = ear(states)
        each = functional.cross_entropy(logits, digits, reduction="none")
        costs = (logits.argmax(-1) != digits).float() if by_errors else each.detach()
        reward = router_loss(bank, trace, {"reward": 1.0}, costs=costs.view(draws, -1))
        return {"loss": each.mean() + reward, "digits": each.mean()}

    return losses


def route_by(bank: Bank) -> Route:
    def route(batch: Clips) -> AbstractContextManager[Any]:
        return bank.route()

    return route


def place_of(name: str, seed: int) -> Path:
    """Return the folder of a training."""
    return FOLDER / f"{plain(name)}_{seed}"


def run_together(data: NoisyDigits, router: str, seed: int) -> Mapping[str, Any]:
    """Train experts with a router; measure errors on the test, and how the experts were used."""

    def measure() -> dict[str, Any]:
        test = data.load(TASKS, "test")
        some = test.some(20, 0)
        start = usage(*build_together(data, router, seed), some)["support"]
        ear, bank = train_together(data, router, seed)
        errors = measure_errors(ear, test, TASKS, route_by(bank))
        used = usage(ear, bank, some)
        return {"errors": errors, **used, "start": start, "parameters": bank.count()}

    return measured_once(place_of(router, seed) / MEASURED, measure)


@torch.no_grad()
def usage(ear: DigitEar, bank: Bank, clips: Clips) -> dict[str, Any]:
    """Say how experts are used: "support" and "load", means over the sites."""
    ear.eval()
    with bank.route() as trace:
        ear(clips.states.float())
    report = bank.report(trace)
    support = fmean(used.support for used in report.sites.values())
    return {"support": support, "load": list(report.load.values())}


def write_together(results: Mapping[str, Results]) -> list[str]:
    """Return the table of experts that are trained with their router, and what was aimed at.

    Args:
        results: What `run_together` measured, by router.
    """
    lines = []
    for name, found in results.items():
        start, support = (fmean(one[name] for one in found) for name in ("start", "support"))
        most = fmean(max(one["load"]) for one in found)
        errors = spread(means_of([one["errors"] for one in found]))
        lines.append([name, f"{start:.2f}", f"{support:.2f}", f"{most:.2f}", errors])
    supports = {name: float(line[2]) for name, line in zip(results, lines, strict=True)}
    soft = ", ".join(f"{supports[name]:.2f} ({name})" for name in results if "soft" in name)
    remix = ", ".join(f"{supports[name]:.2f} ({name})" for name in results if "ReMix" in name)
    return [
        to_table(
            [
                "router",
                "support at the start",
                "at the end",
                "load of the busiest",
                "digit errors, %",
            ],
            lines,
        ),
        f"{EXPERTS} LoRA experts of rank {RANK} at {' and '.join(FEED_FORWARD)}, k = {K}, trained "
        f"with their router on the ten scenarios, {count_seeds([len(f) for f in results.values()])}"
        f" on the test; support is that of test clips. 'ReMix, loss' is rewarded by each draw's "
        "loss, 'ReMix, errors' by whether the digit was right.",
        f"* Effective support: {remix} (aim: k, {K}); of the softmax {soft} (expected: below 1.5).",
    ]
