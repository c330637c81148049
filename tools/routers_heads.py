"""MHR, Poly and one LoRA at equal parameters on ten scenarios, and sixteen clips of new ones.

`python -m tools.routers_heads [--seeds N]` trains what is not there yet under build/routers/heads.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from fusion.adapters.interface import attach
from fusion.routing.adaptation import mean_of_experts, route_new_tasks
from fusion.routing.bank import Bank
from fusion.routing.presets import attach_preset
from tools.digit_lessons import (
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
from tools.digit_tables import count_seeds, errors_by_method, errors_by_scenario, means_of
from tools.noise_scenarios import TASKS
from tools.noisy_digits import BUILT, Clips, DigitEar, NoisyDigits, Route, measure_errors

FOLDER = BUILT / "heads"
SITES = ("q", "k", "v", "o", "fc1", "fc2")
RANK = 8  # of the one LoRA; a skill of four has a quarter
SKILLS, HEADS = 4, 8
STEPS = 250
RATES = (3e-3, 1e-2)  # of which the validation of the first seed chooses, for each method
SHOTS = 16
TRIED = "crackle"  # a scenario that serves to choose how to adapt, by the validation's speaker
NEW = ("siren", "white, reverberation", "gaps")  # scenarios never seen
SEEDS = 3
METHODS = ("one LoRA", "Poly", "MHR")
FROM_CLIPS = (
    "MHR, z alone",
    "MHR, the mean of its skills",
    "a fresh LoRA",
    "the one LoRA, goes on",
)
AS_THEY_ARE = ("nothing", "the one LoRA", "MHR, skills alike")


@dataclass(frozen=True, eq=False)
class Adapted:
    """An ear with what is trained on it.

    Attributes:
        ear: It hears.
        route: Tells a bank of a batch; None without a bank.
        bank: The bank, or None.
        parameters: How many numbers are trained.
    """

    ear: DigitEar
    route: Route | None
    bank: Bank | None
    parameters: int


def build(data: NoisyDigits, method: str, seed: int) -> Adapted:
    """Put a method of `METHODS` on an ear, with a start that the seed draws."""
    ear = data.build_ear()
    if method == "one LoRA":
        adapters = seeded(seed, lambda: attach(ear, "lora", {"rank": RANK, "alpha": RANK}, SITES))
        return Adapted(ear, None, None, adapters.count("default"))
    changes = {"experts": SKILLS, "rank": RANK // SKILLS, "tasks": len(TASKS)}
    preset = "mhr" if method == "MHR" else "poly"
    heads = {"heads": HEADS} if method == "MHR" else {}
    bank = seeded(seed, lambda: attach_preset(ear, preset, {**changes, **heads}, SITES))
    return Adapted(ear, lambda batch: bank.route(tasks=batch.tasks), bank, bank.count())


def train_tasks(data: NoisyDigits, method: str, rate: float, seed: int) -> Adapted:
    """Train a method on the ten tasks, or take up what was trained."""
    made = build(data, method, seed)
    clips, validation = data.load(TASKS, "train"), data.load(TASKS, "validation")
    lesson = DigitLesson(made.ear, clips, validation, TASKS, digit_loss(made.route), made.route)
    teach(lesson, loop_options(Way(STEPS, rate), seed), place_of(method, rate, seed))
    return made


def place_of(method: str, rate: float, seed: int) -> Path:
    """Return the folder of a training."""
    return FOLDER / f"{plain(method)}_{rate:g}_{seed}"


def choose_rate(data: NoisyDigits, method: str) -> float:
    """Return the rate whose training has the fewest errors on the validation, by the first seed."""

    def look() -> dict[str, float]:
        found = {}
        for rate in RATES:
            made = train_tasks(data, method, rate, 0)
            validation = data.load(TASKS, "validation")
            errors = measure_errors(made.ear, validation, TASKS, made.route)
            found[f"{rate:g}"] = fmean(errors.values())
        return found

    found = measured_once(FOLDER / f"rates_{plain(method)}.json", look)
    return float(min(found, key=lambda rate: found[rate]))


def run_tasks(data: NoisyDigits, method: str, seed: int) -> Mapping[str, Any]:
    """Train on the ten tasks and measure on the test, once."""
    rate = choose_rate(data, method)

    def measure() -> dict[str, Any]:
        made = train_tasks(data, method, rate, seed)
        errors = measure_errors(made.ear, data.load(TASKS, "test"), TASKS, made.route)
        return {"errors": errors, "parameters": made.parameters, "rate": rate}

    return measured_once(place_of(method, rate, seed) / MEASURED, measure)


WAYS = {
    "MHR, z alone": (Way(20, 0.1), Way(60, 0.1)),
    "MHR, the mean of its skills": (Way(20, 1e-3), Way(60, 3e-3)),
    "a fresh LoRA": (Way(20, 1e-3), Way(60, 3e-3)),
    "the one LoRA, goes on": (Way(20, 1e-3), Way(60, 3e-3)),
}


def adapt(data: NoisyDigits, name: str, way: Way, clips: Clips, seed: int, place: Path) -> Adapted:
    """Learn a new scenario from few clips, in one of `FROM_CLIPS`."""
    if name == "a fresh LoRA":
        made = build(data, "one LoRA", seed)
    elif name == "the one LoRA, goes on":
        made = train_tasks(data, "one LoRA", choose_rate(data, "one LoRA"), seed)
    else:
        made = train_tasks(data, "MHR", choose_rate(data, "MHR"), seed)
        bank = made.bank
        assert bank is not None
        if name == "MHR, z alone":
            seeded(seed, lambda: route_new_tasks(bank, 1))
        else:
            mean_of_experts(bank, "mean")
            made = Adapted(made.ear, None, None, 0)
    lesson = DigitLesson(made.ear, clips, None, ["new"], digit_loss(made.route))
    teach(lesson, loop_options(way, seed), place)
    return made


def choose_way(data: NoisyDigits, name: str) -> Way:
    """Return the way that has the fewest errors in the scenario that serves to choose."""

    def look() -> list[float]:
        clips = data.load([TRIED], "train", SHOTS)
        validation = data.load([TRIED], "validation")
        found = []
        for number, way in enumerate(WAYS[name]):
            place = FOLDER / f"tried_{plain(name)}_{number}"
            made = adapt(data, name, way, clips, 0, place)
            found.append(measure_errors(made.ear, validation, [TRIED], made.route)[TRIED])
        return found

    found = measured_once(FOLDER / f"ways_{plain(name)}.json", look)
    return WAYS[name][min(range(len(found)), key=lambda number: found[number])]


def run_new(data: NoisyDigits, name: str, scenario: str, seed: int) -> Mapping[str, Any]:
    """Learn a scenario from sixteen clips that the seed chooses, and measure on the test."""
    place = FOLDER / f"new_{plain(name)}_{plain(scenario)}_{seed}"

    def measure() -> dict[str, Any]:
        test = data.load([scenario], "test")
        if name in AS_THEY_ARE:
            made = _as_it_is(data, name, seed)
            return {"errors": measure_errors(made.ear, test, [scenario], made.route)}
        some = data.load([scenario], "train", SHOTS * SEEDS)
        clips = some.take(range(SHOTS * seed, SHOTS * (seed + 1)))
        way = choose_way(data, name)
        made = adapt(data, name, way, clips, seed, place)
        errors = measure_errors(made.ear, test, [scenario], made.route)
        return {"errors": errors, "steps": way.steps, "rate": way.rate}

    return measured_once(place / MEASURED, measure)


def _as_it_is(data: NoisyDigits, name: str, seed: int) -> Adapted:
    if name == "nothing":
        return Adapted(data.build_ear(), None, None, 0)
    if name == "the one LoRA":
        return train_tasks(data, "one LoRA", choose_rate(data, "one LoRA"), seed)
    made = train_tasks(data, "MHR", choose_rate(data, "MHR"), seed)
    bank = made.bank
    assert bank is not None
    seeded(seed, lambda: route_new_tasks(bank, 1))
    return made


def run(seeds: int, data: NoisyDigits | None = None) -> None:
    """Run what is not there yet, a seed of all before the next."""
    data = data or NoisyDigits()
    measured_once(FOLDER / "frozen" / MEASURED, lambda: _measure_frozen(data))
    for seed in range(seeds):
        for method in METHODS:
            run_tasks(data, method, seed)
        for scenario in NEW:
            for name in (*AS_THEY_ARE, *FROM_CLIPS):
                run_new(data, name, scenario, seed)


def _measure_frozen(data: NoisyDigits) -> dict[str, dict[str, float]]:
    return {"errors": measure_errors(data.build_ear(), data.load(TASKS, "test"), TASKS)}


def tell_heads() -> list[str]:
    """Return the paragraphs on MHR, Poly and one LoRA.

    Raises:
        FileNotFoundError: Nothing has been measured.
    """
    return told_parts({"the ten scenarios": _tell_tasks, "new scenarios": _tell_new})


def _tell_tasks() -> list[str]:
    frozen = need_measured(FOLDER, "frozen")
    tasks = {name: need_measured(FOLDER, f"{plain(name)}_*_*") for name in METHODS}
    return write_tasks(frozen[0]["errors"], tasks)


def _tell_new() -> list[str]:
    return write_new({name: _read_new(name) for name in (*AS_THEY_ARE, *FROM_CLIPS)})


def _read_new(name: str) -> dict[str, list[Any]]:
    return {
        scenario: need_measured(FOLDER, f"new_{plain(name)}_{plain(scenario)}_?")
        for scenario in NEW
    }


Results = Sequence[Mapping[str, Any]]  # of each seed


def write_tasks(frozen: Mapping[str, float], results: Mapping[str, Results]) -> list[str]:
    """Return the table of the ten tasks, and what was aimed at.

    Args:
        frozen: Errors of the frozen model by scenario, percent.
        results: What `run_tasks` measured, by method.
    """
    columns = {name: [one["errors"] for one in found] for name, found in results.items()}
    means = {name: fmean(means_of(found)) for name, found in columns.items()}
    trained = ", ".join(
        f"{name} {found[0]['parameters']:,} (rate {found[0]['rate']:g})"
        for name, found in results.items()
    )
    seeds = count_seeds([len(found) for found in results.values()])
    return [
        errors_by_scenario({"frozen": [frozen], **columns}),
        f"Mean of {seeds}, ± the standard deviation over them. Poly and MHR are told the scenario, "
        f"the one LoRA is not. Parameters: {trained}; the rate, of {_listed(RATES)}, is the one "
        "with the fewest errors on the validation.",
        f"* MHR makes {means['MHR']:.1f} % errors, Poly {means['Poly']:.1f}, one LoRA "
        f"{means['one LoRA']:.1f} (aim: MHR the fewest).",
    ]


def write_new(results: Mapping[str, Mapping[str, Results]]) -> list[str]:
    """Return the table of new scenarios, and what was aimed at.

    Args:
        results: What `run_new` measured, by name and scenario.
    """
    rows = {
        name: {
            scenario: [one["errors"][scenario] for one in found]
            for scenario, found in scenarios.items()
        }
        for name, scenarios in results.items()
    }
    means = {
        name: fmean(fmean(seeds) for seeds in scenarios.values())
        for name, scenarios in rows.items()
    }
    alone, fresh = (means[name] for name in ("MHR, z alone", "a fresh LoRA"))
    counts = [len(found) for scenarios in results.values() for found in scenarios.values()]
    return [
        errors_by_method(rows, "digit errors in new scenarios, %"),
        f"Above as they are, below after {SHOTS} clips of the scenario, other ones for each of "
        f"{count_seeds(counts)}. Steps and rate are chosen in one more scenario, {TRIED}, by "
        "the validation's speaker.",
        f"* From {SHOTS} clips z alone makes {alone:.1f} % errors, a fresh LoRA {fresh:.1f} (aim: "
        f"z fewer); without any clip the MHR whose skills weigh alike makes "
        f"{means['MHR, skills alike']:.1f}.",
    ]


def _listed(values: Sequence[float]) -> str:
    return " and ".join(f"{value:g}" for value in values)


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(prog="python -m tools.routers_heads", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help="up to 3")
    run(parser.parse_args().seeds)


if __name__ == "__main__":
    main()
