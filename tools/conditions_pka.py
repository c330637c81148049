"""PKA's conditions on a small FLUX: read by position and by keyword, one to four at once.

`python -m tools.conditions_pka` trains what is not there yet, and writes pka.json and pka.png under
build/conditions. All branches are trained apart; the word of the shape is told, never the colour.
"""

from collections.abc import Hashable
from dataclasses import asdict, replace
from statistics import fmean
from time import process_time
from typing import Any

import torch
from torch import Tensor

from fusion.conditions.joint_attention import Asked
from fusion.conditions.keyword_scope import KeywordScope
from fusion.conditions.token_branch import ALIGNED, ALL, KEYWORD, OFFSET, BranchOptions
from modalities.diffusion.measure.contract import TimeSampler
from modalities.diffusion.measure.times import LogitNormal, Uniform
from tools.conditions_branches import (
    BLURRED,
    EDGES,
    LESSON,
    REGION,
    SUBJECT,
    Plan,
    judge_pictures,
    paint_with,
    show,
    train_branch,
)
from tools.conditions_judges import load_judge, measure_judge
from tools.conditions_mmdits import load_mmdit_base
from tools.conditions_pictures import Pictures, draw_shapes
from tools.conditions_training import FOLDER, draw_sheet
from tools.digit_lessons import measured_once

RANK = 16
SPARSE, DENSE = "by position and keyword", "each place reads all"
ORDER = (EDGES, SUBJECT, BLURRED, REGION)  # conditions, as they come one by one
PUBLISHED = LogitNormal(0.5, 1.5)
TIMES: dict[str, TimeSampler] = {"logit-normal (0.5, 1.5)": PUBLISHED, "uniform": Uniform()}
TRAINED_BY = 0.4  # the threshold of a keyword's places in training
THRESHOLDS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
SEEDS = (0, 1, 2)
# A quarter of a training, where it is not settled yet what is reached.
SHORT = replace(LESSON, steps=LESSON.steps // 4)
TESTED, SHOWN = 200, 10
RESULTS = FOLDER / "pka.json"
SHEET = FOLDER / "pka.png"


def plan_of(name: str, form: str, time: TimeSampler = PUBLISHED) -> Plan:
    """Return how a condition's branch is trained.

    Args:
        name: One of ORDER.
        form: SPARSE or DENSE.
        time: Draws levels of noise.
    """
    read = ALL if form == DENSE else KEYWORD if name == SUBJECT else ALIGNED
    options = BranchOptions(RANK, float(RANK), gates=False, read=read, threshold=TRAINED_BY)
    if name == SUBJECT:
        options = replace(options, positions=OFFSET)
    return Plan(name, options, shaped=True, time=time)


def measure() -> dict[str, Any]:
    """Measure the number of conditions, the thresholds, and the times that training draws."""
    start = process_time()
    return {
        "counts": [measure_counts(seed) for seed in SEEDS],
        "thresholds": [measure_thresholds(seed) for seed in SEEDS],
        "times": [measure_times(seed) for seed in SEEDS],
        "judge": measure_judge(load_judge("shapes")),
        "lesson": asdict(LESSON),
        "short": asdict(SHORT),
        "rank": RANK,
        "tested": TESTED,
        "seconds": process_time() - start,
    }


def _shown(test: Pictures, seed: int) -> dict[str, Tensor]:
    return {name: show(test, name, torch.Generator().manual_seed(seed)) for name in ORDER}


def measure_counts(seed: int) -> dict[str, Any]:
    """Judge pictures of one to four conditions, read in both forms, by form and number.

    Args:
        seed: Fixes weights, draws and what is painted from.
    """
    base, test = load_mmdit_base("flux"), draw_shapes("test", TESTED, seed)
    shown, found = _shown(test, seed), {}
    for form in (SPARSE, DENSE):
        plans = [plan_of(name, form) for name in ORDER]
        branches = {plan.name: train_branch(base, plan, seed) for plan in plans}
        for count in range(1, len(plans) + 1):
            some = plans[:count]
            own = {plan.name: branches[plan.name] for plan in some}
            painted = paint_with(base, some, own, test, shown)
            found[f"{form}, {count}"] = judge_pictures(painted, test)
    return found


def measure_thresholds(seed: int) -> dict[str, Any]:
    """Judge pictures of a subject alone at each threshold of a keyword's places.

    The branch is the same, trained by TRAINED_BY.

    Args:
        seed: Fixes weights, draws and what is painted from.

    Returns:
        By threshold, see `judge_pictures`, and "places", the percent that read the subject.
    """
    base, test = load_mmdit_base("flux"), draw_shapes("test", TESTED, seed)
    shown, plan, found = _shown(test, seed), plan_of(SUBJECT, SPARSE), {}
    branch = train_branch(base, plan, seed)
    for threshold in THRESHOLDS:
        branch.scope = scope = CountedScope(threshold)
        painted = paint_with(base, [plan], {SUBJECT: branch}, test, shown)
        found[f"{threshold:g}"] = {**judge_pictures(painted, test), "places": fmean(scope.shares)}
    return found


class CountedScope(KeywordScope):
    """Notes how many places read.

    Args:
        threshold: How much of the most attention to the keyword a place needs.
    """

    def __init__(self, threshold: float):
        super().__init__(threshold, remembered=False)
        self.shares: list[float] = []

    def rows(self, key: Hashable, asked: Asked, marks: Tensor, places: int) -> Tensor:
        """Return which rows read, see `KeywordScope.rows`."""
        found = super().rows(key, asked, marks, places)
        self.shares.append(100 * float(found[:, :, -places:].float().mean()))
        return found


def measure_times(seed: int) -> dict[str, Any]:
    """Judge edges alone and a subject alone, trained as shortly by each draw of times.

    Args:
        seed: Fixes weights, draws and what is painted from.
    """
    base, test = load_mmdit_base("flux"), draw_shapes("test", TESTED, seed)
    shown, found = _shown(test, seed), {}
    for label, time in TIMES.items():
        for name in (EDGES, SUBJECT):
            plan = replace(plan_of(name, SPARSE, time), lesson=SHORT)
            painted = paint_with(base, [plan], {name: train_branch(base, plan, seed)}, test, shown)
            found[f"{label}, {name}"] = judge_pictures(painted, test)
    return found


def draw(seed: int = SEEDS[0]) -> None:
    """Write a contact sheet of what was told, and what is painted of one to four conditions."""
    base, test = load_mmdit_base("flux"), draw_shapes("test", TESTED, seed)
    shown = {name: value[:SHOWN] for name, value in _shown(test, seed).items()}
    plans, few = [plan_of(name, SPARSE) for name in ORDER], test.take(slice(SHOWN))
    branches = {plan.name: train_branch(base, plan, seed) for plan in plans}
    lines = {"wanted": few.values, **shown}
    for count in (1, 2, 4):
        some = plans[:count]
        own = {plan.name: branches[plan.name] for plan in some}
        names = " + ".join(ORDER[:count]) if count < len(ORDER) else "all four"
        lines[f"painted of {names}"] = paint_with(base, some, own, few, shown)
    draw_sheet(lines, SHEET, SHOWN)


def main() -> None:
    """Measure what was not measured yet, and draw."""
    torch.set_num_threads(1)
    found = measured_once(RESULTS, measure)
    for part in ("counts", "thresholds", "times"):
        for seed in found[part]:
            for name, told in seed.items():
                print(name, {key: round(value, 1) for key, value in told.items()}, flush=True)
    draw()


if __name__ == "__main__":
    main()
