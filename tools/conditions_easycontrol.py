"""EasyControl's conditions on a small FLUX: kept over steps, and put together untrained.

`python -m tools.conditions_easycontrol` trains what is not there yet, and writes easycontrol.json
and easycontrol.png under build/conditions. Each condition is trained apart, by the causal mask and
in one dense sequence; then both are told at once.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from time import process_time
from typing import Any

import torch

from fusion.conditions.condition import Condition
from fusion.conditions.injection import inject
from fusion.conditions.token_branch import OFFSET, BranchOptions
from tools.conditions_branches import (
    EDGES,
    SUBJECT,
    Plan,
    build_branch,
    judge_pictures,
    paint_with,
    show,
    train_branch,
)
from tools.conditions_judges import load_judge, measure_judge
from tools.conditions_mmdits import load_mmdit_base, paint_mmdit
from tools.conditions_pictures import draw_shapes
from tools.conditions_training import FOLDER, draw_sheet
from tools.digit_lessons import measured_once

CAUSAL, DENSE = "causal mask", "all to all"
FORMS = (CAUSAL, DENSE)
RANK = 16
_EDGES = BranchOptions(RANK, float(RANK), gates=False)
PLANS = {
    form: {
        EDGES: Plan(EDGES, _EDGES, form == DENSE),
        SUBJECT: Plan(SUBJECT, replace(_EDGES, positions=OFFSET), form == DENSE),
    }
    for form in FORMS
}
TOLD = {"edges": (EDGES,), "subject": (SUBJECT,), "both": (EDGES, SUBJECT)}
SEEDS = (0, 1, 2)
TESTED = 200  # pictures
COUNTS, TIMED, ROWS = (1, 2, 4, 8), 9, 4  # conditions of a step; how often it is timed; its rows
RESULTS = FOLDER / "easycontrol.json"
SHEET = FOLDER / "easycontrol.png"


def measure() -> dict[str, Any]:
    """Measure all seeds, what is kept, and what a step takes."""
    start = process_time()
    seeds = [measure_seed(seed) for seed in SEEDS]
    return {
        "seeds": seeds,
        "kept": check_kept(),
        "steps": time_steps(),
        "judge": measure_judge(load_judge("shapes")),
        "lesson": vars(PLANS[CAUSAL][EDGES].lesson),
        "rank": RANK,
        "tested": TESTED,
        "seconds": process_time() - start,
    }


def measure_seed(seed: int) -> dict[str, Any]:
    """Train both conditions in both forms, and judge what is painted of one and of both.

    Args:
        seed: Fixes weights, draws and what is painted from.
    """
    base, test = load_mmdit_base("flux"), draw_shapes("test", TESTED, seed)
    shown = {name: show(test, name, torch.Generator().manual_seed(seed)) for name in TOLD["both"]}
    found: dict[str, Any] = {}
    for form in FORMS:
        branches = {name: train_branch(base, plan, seed) for name, plan in PLANS[form].items()}
        for told, names in TOLD.items():
            plans = [PLANS[form][name] for name in names]
            own = {name: branches[name] for name in names}
            painted = paint_with(base, plans, own, test, shown)
            found[f"{form}, {told}"] = judge_pictures(painted, test)
    return found


def check_kept() -> dict[str, float]:
    """Compare pictures with keys and values kept and made anew, and the base before and after.

    Returns:
        "kept", how much the two differ at most, and "absent", how much the base with branches that
        are told nothing differs from the base alone.
    """
    base, test = load_mmdit_base("flux"), draw_shapes("test", 20, 0)
    plans = list(PLANS[CAUSAL].values())
    branches = {plan.name: train_branch(base, plan, 0) for plan in plans}
    shown = {p.name: show(test, p.name, torch.Generator().manual_seed(0)) for p in plans}
    paint = partial(paint_with, base, plans, branches, test, shown)
    anew = paint(lambda condition: replace(condition, step_independent=False))
    alone = paint_mmdit(base, test.words)
    injection = inject(base.denoiser, branches)
    silent = paint_mmdit(base, test.words)
    injection.remove()
    return {
        "kept": float((paint() - anew).abs().max()),
        "absent": float((silent - alone).abs().max()),
    }


@torch.inference_mode()
def time_steps() -> dict[str, Any]:
    """Time a step of the trained base for numbers of conditions, in both forms in turn.

    Returns:
        Milliseconds of the processor by form, for each of COUNTS; and "none", without conditions.
    """
    base, test = load_mmdit_base("flux"), draw_shapes("test", ROWS, 0)
    shown, noisy = show(test, EDGES, torch.Generator()), torch.randn_like(test.values)
    time, plans = torch.full((ROWS,), 500.0), {form: PLANS[form][EDGES] for form in FORMS}
    found: dict[str, Any] = {form: [] for form in FORMS}
    found["none"] = _time(partial(base, noisy, time, test.words))
    for count in COUNTS:
        for form, plan in plans.items():
            names = [f"{EDGES} {number}" for number in range(count)]
            injection = inject(base.denoiser, {name: build_branch(base, plan, 0) for name in names})
            with injection.tell(*(Condition(name, "latent", shown) for name in names)):
                found[form].append(_time(partial(base, noisy, time, test.words)))
            injection.remove()
    return found


def _time(run: Any) -> float:
    """Return the median of a step's milliseconds; the first, in which all is made, is left out."""
    times = []
    for _ in range(TIMED + 1):
        start = process_time()
        run()
        times.append(1000 * (process_time() - start))
    return median(times[1:])


def draw(seed: int = SEEDS[0], most: int = 12) -> None:
    """Write a contact sheet of what was told and what was painted."""
    base, test = load_mmdit_base("flux"), draw_shapes("test", TESTED, seed)
    shown = {name: show(test, name, torch.Generator().manual_seed(seed)) for name in TOLD["both"]}
    lines = {"edges": shown[EDGES], "subject": shown[SUBJECT]}
    some, few = slice(most), {name: value[:most] for name, value in shown.items()}
    for form in FORMS:
        plans = list(PLANS[form].values())
        branches = {plan.name: train_branch(base, plan, seed) for plan in plans}
        lines[f"both, {form}"] = paint_with(base, plans, branches, test.take(some), few)
    draw_sheet(lines, SHEET, most)


def main(names: Sequence[str] = ()) -> None:
    """Measure what was not measured yet, and draw."""
    torch.set_num_threads(1)
    found = measured_once(RESULTS, measure)
    for seed in found["seeds"]:
        for name, told in seed.items():
            print(name, {key: round(value, 1) for key, value in told.items()})
    print(found["kept"], found["steps"])
    draw()


if __name__ == "__main__":
    main()
