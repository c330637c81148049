"""ReMix: experts that weigh alike, chosen by a router that errors themselves reward.

`python -m tools.routers_rewarded [--seeds N]` trains what is not there yet under
build/routers/rewarded. Two questions. Of experts that are trained together with their router: how
many of the k weigh, by a softmax and by ReMix? Of LoRAs that are there already, one a scenario:
does a router that is rewarded by digit errors choose as well as a classifier of scenarios?
"""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fusion.adapters.interface import attach
from fusion.routing.bank import Bank
from fusion.routing.presets import attach_preset
from fusion.routing.ready_made import bank_of_folders
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
    need_measured,
    plain,
    seeded,
    teach,
    told_parts,
)
from tools.digit_tables import count_seeds, errors_by_scenario, means_of, spread
from tools.noise_scenarios import TASKS
from tools.noisy_digits import BUILT, Clips, DigitEar, NoisyDigits, Route, measure_errors

FOLDER = BUILT / "rewarded"
SEEDS = 3
FEED_FORWARD = ("fc1", "fc2")
EXPERTS, K, RANK = 8, 2, 4
TOGETHER = Way(150, 3e-3)
ROUTERS = ("softmax", "softmax, N(0, 1)", "ReMix, loss", "ReMix, errors")
# Scenarios that have a LoRA each, and how those are trained.
SCENARIOS = ("white", "babble", "hum", "reverberation", "low-pass")
LORA_SITES = ("q", "k", "v", "o", "fc1", "fc2")
ALONE = Way(100, 3e-3)
# How the routers over them are trained: both see as many clips.
CHOOSING = Way(100, 1e-2)
DRAWS = 4
CHOOSERS = ("classifier", "ReMix, k = 1", "ReMix, k = 2")
GIVEN = ("nothing", "all alike", "its own")


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
    route = _route(bank)
    if router.startswith("softmax"):
        losses = digit_loss(route)
    else:
        losses = reward_losses(bank, 2, by_errors=router.endswith("errors"))
    lesson = DigitLesson(ear, data.load(TASKS, "train"), None, TASKS, losses, route)
    teach(lesson, loop_options(TOGETHER, seed), place_of(router, seed))
    return ear, bank


def reward_losses(bank: Bank, draws: int, *, by_errors: bool, experts: bool = True) -> Losses:
    """Return ReMix's losses: every clip is heard with several draws, which are compared.

    Args:
        bank: Its rule draws subsets.
        draws: How many for each clip, 2 or more.
        by_errors: Whether a draw costs 1 where the digit is wrong and else 0; or its loss.
        experts: Whether experts are trained as well, by the loss under the draws.
    """

    def losses(ear: DigitEar, batch: Clips) -> dict[str, Tensor]:
        states = batch.states.repeat(draws, 1, 1)
        digits = batch.digits.repeat(draws)
        with bank.route() as trace:
            logits = ear(states)
        each = functional.cross_entropy(logits, digits, reduction="none")
        costs = (logits.argmax(-1) != digits).float() if by_errors else each.detach()
        reward = router_loss(bank, trace, {"reward": 1.0}, costs=costs.view(draws, -1))
        loss = each.mean() + reward if experts else reward
        return {"loss": loss, "wrong": (logits.argmax(-1) != digits).float().mean()}

    return losses


def _route(bank: Bank) -> Route:
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
        errors = measure_errors(ear, test, TASKS, _route(bank))
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


def train_alone(data: NoisyDigits, scenario: str, seed: int) -> Path:
    """Train the LoRA of a scenario, or take up what was trained; return its folder."""
    place = place_of(f"lora_{scenario}", seed)
    folder = place / "lora"
    if not folder.exists():
        ear = data.build_ear()
        adapters = seeded(seed, lambda: attach(ear, "lora", {"rank": RANK}, LORA_SITES))
        clips = data.load([scenario], "train")
        lesson = DigitLesson(ear, clips, None, [scenario], digit_loss())
        teach(lesson, loop_options(ALONE, seed), place)
        adapters.save(folder, "default")
    return folder


def gather(data: NoisyDigits, k: int, seed: int) -> tuple[DigitEar, Bank]:
    """Put the LoRAs of all scenarios into a bank that weighs k of them alike, for whole clips."""
    ear = data.build_ear()
    folders = {name: train_alone(data, name, seed) for name in SCENARIOS}
    changes = {"k": k, "granularity": "block", "router_start": "zeros", "trained": "router"}
    return ear, bank_of_folders(ear, folders, "remix", changes)


def train_chooser(data: NoisyDigits, chooser: str, seed: int) -> tuple[DigitEar, Bank]:
    """Train a router of `CHOOSERS` over the LoRAs, or take up what was trained."""
    ear, bank = gather(data, 2 if chooser.endswith("2") else 1, seed)
    clips = data.load(SCENARIOS, "train")
    if chooser == "classifier":
        losses = label_losses(bank)
    else:
        losses = reward_losses(bank, DRAWS, by_errors=True, experts=False)
    lesson = DigitLesson(ear, clips, None, SCENARIOS, losses, _route(bank))
    teach(lesson, loop_options(CHOOSING, seed), place_of(chooser, seed))
    return ear, bank


def label_losses(bank: Bank) -> Losses:
    """Return the loss of a classifier: which scenario a clip is of."""

    def losses(ear: DigitEar, batch: Clips) -> dict[str, Tensor]:
        with bank.route() as trace:
            ear(batch.states)
        return {"loss": router_loss(bank, trace, {"labels": 1.0}, labels=batch.tasks)}

    return losses


def run_chooser(data: NoisyDigits, chooser: str, seed: int) -> Mapping[str, Any]:
    """Train a router over the LoRAs; measure errors on the test, and what it chooses where."""

    def measure() -> dict[str, Any]:
        ear, bank = train_chooser(data, chooser, seed)
        test = data.load(SCENARIOS, "test")
        errors = measure_errors(ear, test, SCENARIOS, _route(bank))
        chosen = {
            name: usage(ear, bank, test.take((test.tasks == task).nonzero()[:, 0]))["load"]
            for task, name in enumerate(SCENARIOS)
        }
        support = usage(ear, bank, test.some(20, 0))["support"]
        return {"errors": errors, "chosen": chosen, "support": support}

    return measured_once(place_of(chooser, seed) / MEASURED, measure)


def run_given(data: NoisyDigits, given: str, seed: int) -> Mapping[str, Any]:
    """Measure without any router: the frozen model, all LoRAs alike, or each scenario's own."""

    def measure() -> dict[str, Any]:
        ear, bank = gather(data, 1, seed)
        if given == "nothing":
            bank.drop()
        count = len(SCENARIOS)
        table = torch.eye(count) if given == "its own" else torch.full((count, count), 1 / count)

        def route(batch: Clips) -> AbstractContextManager[Any]:
            return bank.route(weights=table[batch.tasks])

        test = data.load(SCENARIOS, "test")
        errors = measure_errors(ear, test, SCENARIOS, None if given == "nothing" else route)
        return {"errors": errors}

    return measured_once(place_of(given, seed) / MEASURED, measure)


def run(seeds: int, data: NoisyDigits | None = None) -> None:
    """Run what is not there yet, a seed of all before the next."""
    data = data or NoisyDigits()
    for seed in range(seeds):
        for chooser in CHOOSERS:
            run_chooser(data, chooser, seed)
        for given in GIVEN:
            run_given(data, given, seed)
        for router in ROUTERS:
            run_together(data, router, seed)


def tell_rewarded() -> list[str]:
    """Return the paragraphs on ReMix.

    Raises:
        FileNotFoundError: Nothing has been measured.
    """
    return told_parts(
        {
            "experts trained with their router": lambda: write_together(_read(ROUTERS)),
            "routers over LoRAs that are there": lambda: write_choosers(
                _read(GIVEN), _read(CHOOSERS)
            ),
        }
    )


def _read(names: Sequence[str]) -> dict[str, list[Any]]:
    return {name: need_measured(FOLDER, f"{plain(name)}_?") for name in names}


Results = Sequence[Mapping[str, Any]]  # of each seed


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


def write_choosers(given: Mapping[str, Results], chosen: Mapping[str, Results]) -> list[str]:
    """Return the table of routers over LoRAs that are there, and what was aimed at.

    Args:
        given: What `run_given` measured, by name.
        chosen: What `run_chooser` measured, by router.
    """
    heads = {"nothing": "frozen", "all alike": "all LoRAs alike", "its own": "its own LoRA"}
    columns = {heads[name]: [one["errors"] for one in found] for name, found in given.items()}
    columns |= {name: [one["errors"] for one in found] for name, found in chosen.items()}
    means = {name: fmean(means_of(found)) for name, found in columns.items()}
    right = {name: 100 * fmean(_part_right(one) for one in found) for name, found in chosen.items()}
    remix = " and ".join(f"{means[name]:.1f} ({name})" for name in CHOOSERS[1:])
    told = ", ".join(f"{part:.0f} ({name})" for name, part in right.items())
    return [
        errors_by_scenario(columns),
        f"LoRAs of rank {RANK}, one for each of {len(SCENARIOS)} scenarios and frozen, and routers "
        f"over them that decide for a whole clip; {count_seeds([len(f) for f in chosen.values()])}."
        f" The classifier is trained with the scenarios' names, ReMix with {DRAWS} draws for each "
        "clip and nothing but right or wrong digits; both see the same clips as often. Percent of "
        f"the weight that goes to the scenario's own LoRA: {told}.",
        f"* Rewarded by errors: {remix} % errors, the classifier {means['classifier']:.1f} (aim: "
        "at or below it).",
    ]


def _part_right(result: Mapping[str, Any]) -> float:
    return fmean(result["chosen"][name][number] for number, name in enumerate(SCENARIOS))


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(prog="python -m tools.routers_rewarded", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N")
    run(parser.parse_args().seeds)


if __name__ == "__main__":
    main()
