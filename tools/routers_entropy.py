"""LoRA-Mixer's two signs of the entropy term, with 200 and 2,000 clips: which one specialises?

`python -m tools.routers_entropy [--seeds N]` trains what is not there yet under
build/routers/entropy.
"""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from math import log2
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
    loop_options,
    measured_once,
    need_measured,
    seeded,
    teach,
)
from tools.digit_tables import count_seeds, means_of, spread
from tools.noise_scenarios import TASKS
from tools.noisy_digits import BUILT, Clips, DigitEar, NoisyDigits, measure_errors

FOLDER = BUILT / "entropy"
SEEDS = 3
# The factor of the entropy in the loss: the paper's formula subtracts it, its text means to add it.
SIGNS = {"the formula's, -1": -1.0, "none, 0": 0.0, "the text's, +1": 1.0}
SIZES = (200, 2000)
USE = ("entropy", "support", "scenarios", "digits")
ATTENTION = ("q", "k", "v", "o")
EXPERTS, K, RANK = 6, 3, 4
WAY = Way(120, 3e-3)


def train_sign(data: NoisyDigits, sign: str, size: int, seed: int) -> tuple[DigitEar, Bank]:
    """Train a bank with one sign on so many clips of the ten tasks, or take up what was trained."""
    ear = data.build_ear()
    changes = {"experts": EXPERTS, "k": K, "rank": RANK, "alpha": float(RANK)}
    bank = seeded(seed, lambda: attach_preset(ear, "lora_mixer", changes, ATTENTION))
    each = size // len(TASKS)
    clips = data.load(TASKS, "train").some(each, seed)
    lesson = DigitLesson(ear, clips, None, TASKS, sign_losses(bank, SIGNS[sign]))
    teach(lesson, loop_options(WAY, seed), FOLDER / f"{SIGNS[sign]:+g}_{size}_{seed}")
    return ear, bank


def sign_losses(bank: Bank, factor: float) -> Losses:
    """Return the digits' loss with the balance of the experts and the entropy times a factor."""

    def losses(ear: DigitEar, batch: Clips) -> dict[str, Tensor]:
        with bank.route() as trace:
            loss = functional.cross_entropy(ear(batch.states), batch.digits)
        routed = router_loss(bank, trace, {"balance": 1.0, "entropy": factor})
        return {"loss": loss + routed, "digits": loss, "routed": routed}

    return losses


def run_sign(data: NoisyDigits, sign: str, size: int, seed: int) -> Mapping[str, Any]:
    """Train with one sign; measure errors on the test, and how far experts are for scenarios."""

    def measure() -> dict[str, Any]:
        ear, bank = train_sign(data, sign, size, seed)

        def route(batch: Clips) -> AbstractContextManager[Any]:
            return bank.route()

        test = data.load(TASKS, "test")
        errors = measure_errors(ear, test, TASKS, route)
        return {"errors": errors, **measure_use(ear, bank, test.some(20, 0))}

    return measured_once(FOLDER / f"{SIGNS[sign]:+g}_{size}_{seed}" / MEASURED, measure)


@torch.no_grad()
def measure_use(ear: DigitEar, bank: Bank, clips: Clips) -> dict[str, float]:
    """Say how experts are used, means over the sites.

    Returns:
        "entropy" of a token's softmax, nats; "support", how many experts weigh at a token;
        "scenarios", what it tells of the scenario, see `information`; "digits", what it tells of
        the digit.
    """
    ear.eval()
    with bank.route() as trace:
        ear(clips.states.float())
    used = bank.report(trace).sites.values()
    weights = [routing.weights.mean(1) for _, routing in trace.taken]  # [clips, experts] each
    return {
        "entropy": fmean(one.entropy for one in used),
        "support": fmean(one.support for one in used),
        "scenarios": fmean(information(of_site, clips.tasks) for of_site in weights),
        "digits": fmean(information(of_site, clips.digits) for of_site in weights),
    }


def information(weights: Tensor, labels: Tensor) -> float:
    """Return what knowing which expert works tells of the label, in bits.

    Args:
        weights: How much each expert has to say of each clip, rows that sum to 1, [clips, experts].
        labels: int64, [clips].

    Returns:
        The mutual information of expert and label: 0 where all labels are served alike.
    """
    names = labels.unique()
    joint = torch.stack([weights[labels == name].sum(0) for name in names]).double()
    joint = joint / joint.sum()
    apart = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return float((joint * (joint / apart).clamp_min(1e-12).log2()).nan_to_num(0.0).sum())


def run(seeds: int, data: NoisyDigits | None = None) -> None:
    """Run what is not there yet, a seed of all before the next."""
    data = data or NoisyDigits()
    for seed in range(seeds):
        for size in SIZES:
            for sign in SIGNS:
                run_sign(data, sign, size, seed)


def tell_entropy() -> list[str]:
    """Return the paragraphs on the two signs.

    Raises:
        FileNotFoundError: Not all of the first seed has been measured.
    """
    return write_entropy(
        {
            (sign, size): need_measured(FOLDER, f"{factor:+g}_{size}_?")
            for size in SIZES
            for sign, factor in SIGNS.items()
        }
    )


def write_entropy(results: Mapping[tuple[str, int], Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return the table of signs and sizes, and what was found.

    Args:
        results: What `run_sign` measured with each seed, by sign and number of clips.
    """
    lines = []
    for (sign, size), found in results.items():
        numbers = [fmean(one[name] for one in found) for name in USE]
        rate = spread(means_of([one["errors"] for one in found]))
        lines.append([f"{size:,}", sign, *(f"{value:.2f}" for value in numbers), rate])
    most = {
        size: max(SIGNS, key=lambda sign: fmean(one["scenarios"] for one in results[sign, size]))
        for size in SIZES
    }
    fewest = {
        size: min(
            SIGNS, key=lambda sign: fmean(means_of([o["errors"] for o in results[sign, size]]))
        )
        for size in SIZES
    }
    told = "; ".join(
        f"with {size:,} clips the experts tell most of the scenario by {most[size]!r}, and errors "
        f"are fewest by {fewest[size]!r}"
        for size in SIZES
    )
    return [
        to_table(
            ["clips", "sign of the entropy", "entropy, nats", "support", "scenario, bits",
             "digit, bits", "digit errors, %"],
            lines,
        ),
        f"{EXPERTS} LoRA experts of rank {RANK} at attention's four matrices, softmax over tokens, "
        f"the {K} highest in use; {count_seeds([len(found) for found in results.values()])}. "
        "'Scenario, bits' is what knowing the expert tells of the scenario (of "
        f"{log2(len(TASKS)):.2f}), 'digit, bits' what it tells of the digit; balance of the "
        "experts has the factor 1 in all rows.",
        f"* As found: {told}.",
    ]  # fmt: skip


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(prog="python -m tools.routers_entropy", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, metavar="N")
    run(parser.parse_args().seeds)


if __name__ == "__main__":
    main()
