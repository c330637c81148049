"""ReMix: experts that weigh alike, chosen by a router that errors themselves reward.

`python -m tools.routers_rewarded [--seeds N]` trains what is not there yet under
build/routers/rewarded. Two questions. Of experts that are trained together with their router: how
many of the k weigh, by a softmax and by ReMix? Of LoRAs that are there already, one a scenario:
does a router that is rewarded by digit errors choose as well as a classifier of scenarios?
"""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import combinations
from math import comb
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fusion.adapters.interface import attach
from fusion.routing.bank import Bank
from fusion.routing.losses import label_cross_entropy, leave_one_out
from fusion.routing.ready_made import bank_of_folders
from modalities.whole_file import replace_when_whole
from tools.digit_lessons import (
    BATCH,
    MEASURED,
    DigitLesson,
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
from tools.digit_tables import count_seeds, errors_by_scenario, means_of
from tools.noisy_digits import (
    Clips,
    DigitEar,
    NoisyDigits,
    batches_of,
    measure_errors,
    name_digits,
)
from tools.routers_support import (
    FOLDER,
    ROUTERS,
    Results,
    place_of,
    route_by,
    run_together,
    usage,
    write_together,
)

SEEDS = 3
RANK = 4
# Scenarios that have a LoRA each, and how those are trained.
SCENARIOS = ("white", "babble", "hum", "reverberation", "low-pass")
LORA_SITES = ("q", "k", "v", "o", "fc1", "fc2")
ALONE = Way(100, 3e-3)
# How the routers over them are trained: with so many clips of each scenario, in batches of 64.
# Rate and draws by the validation: at 1e-2 with 4 draws routers decide before they have compared.
TRIED, DRAWS = 100, 16
CHOOSING = Way(1000, 1e-3)
CHOOSERS = ("classifier", "ReMix, k = 1", "ReMix, k = 2")
GIVEN = ("nothing", "all alike", "its own")


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
    changes = {"k": k, "granularity": "model", "router_start": "zeros", "trained": "router"}
    return ear, bank_of_folders(ear, folders, "remix", changes)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What each choice of frozen experts leads to, for clips: all that a router is trained with.

    Attributes:
        features: What the router reads, [clips, dim].
        wrong: Whether the digit is wrong with a subset of the experts, [clips, subsets].
        subsets: Weights above 0 where an expert is in, bool, [subsets, experts].
    """

    features: Tensor
    wrong: Tensor
    subsets: Tensor

    def costs(self, clips: Tensor, weights: Tensor) -> Tensor:
        """Look up 1 for wrong digits, for weights [clips, experts] of some clips -> [clips]."""
        alike = ((weights > 0)[:, None] == self.subsets).all(2)  # [clips, subsets]
        return self.wrong[clips, alike.int().argmax(1)].float()


@torch.no_grad()
def try_all(ear: DigitEar, bank: Bank, clips: Clips) -> Outcomes:
    """Hear clips with every subset of experts that the bank's rule may choose."""
    k, count = bank.options.rule_built.k, bank.options.experts
    subsets = torch.zeros(comb(count, k), count, dtype=torch.bool)
    for number, chosen in enumerate(combinations(range(count), k)):
        subsets[number, list(chosen)] = True
    wrong = []
    for subset in subsets:
        weights = subset[None] / k

        def route(batch: Clips, weights: Tensor = weights) -> AbstractContextManager[Any]:
            return bank.route(weights=weights.expand(len(batch), -1))

        wrong.append(name_digits(ear, clips, route) != clips.digits)
    ear.eval()
    features = []
    for batch in batches_of(clips):
        with bank.route() as trace:
            ear(batch.states)
        features.append(trace.decided[0].features)
    return Outcomes(torch.cat(features), torch.stack(wrong, 1), subsets)


def try_once(ear: DigitEar, bank: Bank, clips: Clips, folder: Path) -> Outcomes:
    """Return what `try_all` found before, or let it find that and keep it."""
    place = folder / "outcomes.safetensors"
    if not place.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with replace_when_whole(place) as partial:
            save_file(vars(try_all(ear, bank, clips)), partial)
    return Outcomes(**load_file(place))


def train_chooser(data: NoisyDigits, chooser: str, seed: int) -> tuple[DigitEar, Bank]:
    """Train a router of `CHOOSERS` over the LoRAs.

    The LoRAs are frozen and a router decides once for a clip, so that every clip is heard once with
    each subset; what a draw costs is then looked up.
    """
    ear, bank = gather(data, 2 if chooser.endswith("2") else 1, seed)
    clips = data.load(SCENARIOS, "train", TRIED)
    outcomes = try_once(ear, bank, clips, place_of(f"outcomes_{bank.options.chosen}", seed))
    (router,) = bank.routers
    optimiser = torch.optim.Adam(router.parameters(), CHOOSING.rate)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(CHOOSING.steps):
        some = torch.randint(len(clips), (4 * BATCH,), generator=generator)
        logits = router.logits(outcomes.features[some], None)
        if chooser == "classifier":
            loss = label_cross_entropy(logits, clips.tasks[some])
        else:
            loss = reward_of_draws(bank, logits, some, outcomes, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return ear, bank


def reward_of_draws(
    bank: Bank, logits: Tensor, clips: Tensor, outcomes: Outcomes, generator: torch.Generator
) -> Tensor:
    """Draw subsets for each clip, and return what has the gradient of the errors they lead to."""
    repeated = clips.repeat(DRAWS)
    drawn = bank.options.rule_built.draw(logits.repeat(DRAWS, 1), generator)
    costs = outcomes.costs(repeated, drawn.weights)
    return leave_one_out(drawn.log_probability.view(DRAWS, -1), costs.view(DRAWS, -1))


def run_chooser(data: NoisyDigits, chooser: str, seed: int) -> Mapping[str, Any]:
    """Train a router over the LoRAs; measure errors on the test, and what it chooses where."""

    def measure() -> dict[str, Any]:
        ear, bank = train_chooser(data, chooser, seed)
        test = data.load(SCENARIOS, "test")
        errors = measure_errors(ear, test, SCENARIOS, route_by(bank))
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
        "clip and nothing but right or wrong digits; both see the same clips as often, and read "
        "the same features. Percent of "
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
