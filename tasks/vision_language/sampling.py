"""In which batches the rows of several tasks are learnt."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

import numpy as np

from tasks.vision_language.config import BALANCED, MIXED, SamplingOptions

Row = tuple[str, int]  # a task, and a number among its rows
Draw = tuple[Row, ...]  # one batch


def count_batches(rows: Mapping[str, int], options: SamplingOptions) -> int:
    """Return how many batches an epoch has.

    Args:
        rows: How many there are of each task.
        options: How the tasks take turns.
    """
    if options.kind == MIXED:
        return -(-sum(rows.values()) // options.batch)
    counts = _counts(rows, options)
    if options.kind == BALANCED:
        return len(counts) * max(1, round(fmean(counts.values())))
    return sum(counts.values())


def draw_epoch(
    rows: Mapping[str, int], options: SamplingOptions, seed: int, epoch: int
) -> list[Draw]:
    """Draw the batches of an epoch.

    Args:
        rows: How many there are of each task.
        options: How the tasks take turns.
        seed: Fixes the draw, together with the epoch.
        epoch: From 0.

    Returns:
        As many as `count_batches` says, in their order.
    """
    random = np.random.default_rng([seed, epoch])
    if options.kind == MIXED:
        return _mix(rows, options.batch, random)
    counts = _counts(rows, options)
    each = max(1, round(fmean(counts.values())))
    batches: list[Draw] = []
    for task, count in rows.items():
        size = options.batches.get(task, options.batch)
        wanted = each if options.kind == BALANCED else counts[task]
        order = _repeat(count, wanted * size if options.kind == BALANCED else count, random)
        batches += [
            tuple((task, int(n)) for n in order[start : start + size])
            for start in range(0, len(order), size)
        ]
    return [batches[int(n)] for n in random.permutation(len(batches))]


def _counts(rows: Mapping[str, int], options: SamplingOptions) -> dict[str, int]:
    """Return how many batches the rows of each task fill, the last one perhaps in part."""
    sizes = {task: options.batches.get(task, options.batch) for task in rows}
    return {task: -(-count // sizes[task]) for task, count in rows.items()}


def _repeat(count: int, wanted: int, random: Any) -> np.ndarray:
    """Return so many numbers below `count`: all of them in a drawn order, again and again."""
    rounds = [random.permutation(count) for _ in range(-(-wanted // count))]
    return np.concatenate(rounds)[:wanted]


def _mix(rows: Mapping[str, int], size: int, random: Any) -> list[Draw]:
    """Deal the rows of each task out evenly, so that each batch has some of all."""
    places: list[tuple[float, Row]] = []
    for task, count in rows.items():
        order, shift = random.permutation(count), random.random()
        places += [((at + shift) / count, (task, int(n))) for at, n in enumerate(order)]
    dealt = [row for _, row in sorted(places)]
    return [tuple(dealt[start : start + size]) for start in range(0, len(dealt), size)]
