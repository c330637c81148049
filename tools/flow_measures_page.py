"""Write what `python -m tools.flow_measures` measured into docs/conditions.md."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch

from modalities.whole_file import replace_when_whole
from tasks.reports import to_table
from tools.digit_lessons import plain
from tools.digit_tables import count_seeds
from tools.flow_measures import (
    BATCH,
    EPSILONS,
    METHODS,
    PEERS,
    PLAIN,
    STEPS,
    TRANSPORT,
    load_flow,
    place_of,
    weighted,
)
from tools.flow_toys import DRAWS, FEW, MANY, POINTS, TEST, TOYS, follow
from tools.machine import processor
from tools.marks import rewrite

PAGE = Path(__file__).resolve().parents[1] / "docs/conditions.md"
PICTURE = "conditions_flows.png"
SHOWN, WAYS, EDGE, COLOURS = 600, 60, 6.8, 48  # targets and ways that are drawn, and how
MOST_ENERGY, MOST_SECONDS = 0.5, 1.2  # what was aimed at, as shares of plain flow matching
Seeds = Sequence[Mapping[str, Any]]
Found = Mapping[str, Seeds]  # what each seed measured, by method


def publish(folder: Path, page: Path = PAGE) -> None:
    """Write the section and its picture.

    Args:
        folder: Where everything was kept.
        page: Has the marks "measures".

    Raises:
        FileNotFoundError: Something has not been measured with a single seed.
        ValueError: The page has no such marks.
    """
    found = {task: read_found(folder, task) for task in TOYS}
    first = next(iter(TOYS))
    told = tell(
        found,
        {task: json.loads((folder / plain(task) / "toy.json").read_text()) for task in TOYS},
        json.loads((folder / "seconds.json").read_text()),
    )
    draw_ways(folder, first, shown_methods(found[first]), page.parent / PICTURE)
    rewrite(page, "measures", lambda old: "\n\n".join(told))


def read_found(folder: Path, task: str) -> Found:
    """Return what was measured; a method that nothing has been measured of is left out."""
    found: dict[str, Seeds] = {}
    for method in METHODS:
        places = sorted(place_of(folder, task, method, 0).parent.glob(f"{plain(method)}_?"))
        files = [place / "measured.json" for place in places]
        if seeds := [json.loads(file.read_text()) for file in files if file.exists()]:
            found[method] = seeds
    if missing := [name for name in METHODS if name not in found and name not in PEERS]:
        raise FileNotFoundError(f"Nothing was measured of {missing[0]}, {task}.")
    return found


def tell(
    found: Mapping[str, Found],
    toys: Mapping[str, Mapping[str, float]],
    timed: Mapping[str, Mapping[str, float]],
) -> list[str]:
    """Return the paragraphs of the section.

    Args:
        found: What each seed measured, by task and method.
        toys: What was measured of the points alone, see `measure_toy`, by task.
        timed: What `time_steps` measured.
    """
    paragraphs = []
    for task in found:
        paragraphs += [f"### {task}", write_table(found[task], toys[task], timed)]
    first = next(iter(found))
    return [
        *paragraphs,
        f"A network of three layers of 64, {STEPS:,} steps of Adam on {BATCH} pairs, "
        f"{_tell_seeds(found)}; ± is the deviation over seeds. W2 is the 2-Wasserstein distance "
        f"of {POINTS:,} points that flowed by {MANY} or {FEW} steps of Euler from as many targets, "
        f"mean of {DRAWS} draws that chose nothing, the same for all; the floor is that of other "
        "draws of targets from them. The energy of the path is off the squared W2 of sources and "
        f"targets by the share that is told; the gap is how far ends of {MANY} and {FEW} steps lie "
        "apart. An "
        f"epsilon is chosen that had the least W2 at {FEW} steps on other draws. A step's "
        f"milliseconds of one core were taken in turn on {processor()}, torch {torch.__version__}.",
        "\n".join(write_aims(first, found[first], toys[first], timed)),
        f"![Ways of points from 8 Gaussians to moons]({PICTURE})",
        f"Ways of {WAYS} points, seed 0, from 8 Gaussians to moons (grey); red where they end.",
    ]


def _tell_seeds(found: Mapping[str, Found]) -> str:
    """Say how many seeds there are, and how many of the peer, where it was there."""
    counts: dict[bool, list[int]] = {False: [], True: []}
    for methods in found.values():
        for name, seeds in methods.items():
            counts[name in PEERS].append(len(seeds))
    peers = f", of torchcfm {count_seeds(counts[True])}" if counts[True] else ""
    return count_seeds(counts[False]) + peers


def write_table(
    found: Found, toy: Mapping[str, float], timed: Mapping[str, Mapping[str, float]]
) -> str:
    """Return a line for each method.

    Args:
        found: What each seed measured, by method.
        toy: What was measured of the points alone.
        timed: What `time_steps` measured.
    """
    chosen = {choose(found, cost) for cost in EPSILONS}
    lines = []
    for method, seeds in found.items():
        test = [one["test"] for one in seeds]
        share = fmean(one["effective_share"] for one in seeds)
        lines.append(
            [
                f"{method} (chosen)" if method in chosen else method,
                *(spread([one[name] for one in test]) for name in ("w2_many", "w2_few")),
                spread([one["energy"] for one in test]),
                f"{energy_off(seeds, toy):.2f}",
                f"{fmean(one['gap'] for one in test):.2f}",
                "" if np.isnan(share) else f"{share:.2f}",
                f"{1000 * seconds_of(method, timed['seconds']):.2g}",
            ]
        )
    floor = [f"{toy['floor']:.2f}"] * 2
    lines.append(["nothing learnt: floor, squared W2", *floor, f"{toy['squared']:.2f}", *[""] * 4])
    head = ["trained by", f"W2, {MANY} steps", f"W2, {FEW} steps", "energy", "off by", "gap"]
    return to_table([*head, "effective share", "ms a step"], lines)


def write_aims(
    task: str, found: Found, toy: Mapping[str, float], timed: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """Return what was aimed at and found on one task, as a list.

    Args:
        task: Its name.
        found: What each seed measured, by method.
        toy: What was measured of the points alone.
        timed: What `time_steps` measured.
    """
    best = best_of(found)
    small = weighted(cost_of(best), min(EPSILONS[cost_of(best)]))
    few = {name: mean_of(found[name], "w2_few") for name in (PLAIN, TRANSPORT, best, small)}
    ratio = energy_off(found[best], toy) / energy_off(found[PLAIN], toy)
    slower = timed["ratios"][same_work(best)]
    share = fmean(one["effective_share"] for one in found[small])
    worse = "worse" if few[small] > few[PLAIN] else "not worse"
    return [
        f"* {task}, {best}: the energy is off by {ratio:.2f} of what it is off by in plain flow "
        f"matching (aim: {MOST_ENERGY:g} or less).",
        f"* W2 at {FEW} steps is {few[best]:.2f}, of plain flow matching {few[PLAIN]:.2f} (aim: "
        f"below it), of minibatch OT {few[TRANSPORT]:.2f}.",
        f"* A step takes {slower:.2f} of one of plain flow matching (aim: {MOST_SECONDS:g} or "
        f"less), one with minibatch OT {timed['ratios'][TRANSPORT]:.1f}.",
        f"* Too small an epsilon cuts the ends off: {small} counts {100 * share:.0f} % of the "
        f"pairs, and W2 at {FEW} steps is {few[small]:.2f}, {worse} than plain flow matching; "
        "its energy, "
        f"{mean_of(found[small], 'energy'):.2f}, is below the {toy['squared']:.2f} that the way "
        "takes.",
    ]


def choose(found: Found, cost: str) -> str:
    """Return the weighted training of a cost with the least W2 at few steps on the validation."""
    names = [weighted(cost, epsilon) for epsilon in EPSILONS[cost]]
    return min(names, key=lambda name: _validated(found[name]))


def best_of(found: Found) -> str:
    """Return the better of the chosen ones, by the validation again."""
    chosen = [choose(found, cost) for cost in EPSILONS]
    return min(chosen, key=lambda name: _validated(found[name]))


def _validated(seeds: Seeds) -> float:
    return fmean(one["validation"]["w2_few"] for one in seeds)


def mean_of(seeds: Seeds, name: str) -> float:
    """Return the mean over seeds of what was measured on the test."""
    return fmean(one["test"][name] for one in seeds)


def energy_off(seeds: Seeds, toy: Mapping[str, float]) -> float:
    """Return the normalised path energy: how far off the squared W2 it is, as a share of that."""
    return fmean(abs(one["test"]["energy"] / toy["squared"] - 1) for one in seeds)


def cost_of(method: str) -> str:
    """Return the cost of a weighted training."""
    return next(cost for cost in EPSILONS if f", {cost} cost" in method)


def same_work(method: str) -> str:
    """Return the method that was timed for this one: epsilon changes nothing of a step."""
    if not method.startswith("weighted"):
        return method
    cost = cost_of(method)
    return weighted(cost, EPSILONS[cost][0])


def seconds_of(method: str, seconds: Mapping[str, float]) -> float:
    """Return what a step takes, NaN of one that was not timed."""
    return seconds.get(same_work(method), float("nan"))


def spread(values: Sequence[float]) -> str:
    """Write the mean, and with two or more the standard deviation, such as "0.58 ± 0.04"."""
    told = f"{fmean(values):.2f}"
    return f"{told} ± {stdev(values):.2f}" if len(values) > 1 else told


def shown_methods(found: Found) -> list[str]:
    """Return what is drawn: plain, by transport, weighted as chosen, and too narrowly."""
    best = best_of(found)
    cost = cost_of(best)
    return [PLAIN, TRANSPORT, best, weighted(cost, min(EPSILONS[cost]))]


def draw_ways(folder: Path, task: str, methods: Sequence[str], path: Path) -> None:
    """Draw the ways of some points, a plot for each method, as a PNG of few colours.

    Args:
        folder: Where trainings were kept.
        task: A name of `TOYS`.
        methods: Names of `METHODS`.
        path: The picture to write, whole or not at all.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(2.2 * len(methods), 2.6), dpi=110)
    figure.subplots_adjust(0, 0, 1, 0.84, wspace=0)
    canvas = FigureCanvasAgg(figure)
    source, target = TOYS[task].draw(SHOWN, np.random.default_rng([TEST, DRAWS]))
    for number, method in enumerate(methods):
        network = load_flow(task, method, 0, folder)
        places, _ = follow(network, source[:WAYS], MANY)
        axes = figure.add_subplot(1, len(methods), number + 1)
        axes.plot(*target.T, ".", color="0.75", markersize=2)
        axes.plot(places[..., 0], places[..., 1], "-", color="C0", linewidth=0.6)
        axes.plot(*places[-1].T, ".", color="C3", markersize=3)
        axes.set_title(method.replace(", epsilon", ",\nepsilon"), fontsize=9)
        axes.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), aspect="equal")
        axes.set_axis_off()
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    with replace_when_whole(path) as partial:
        picture.quantize(COLOURS).save(partial, format="png", optimize=True)
