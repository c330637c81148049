"""Batches of a training, each prepared while the one before it is learnt."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tasks.training.contract import Trainable
from tasks.training.options import LoopOptions
from tasks.training.processes import Processes

Part = tuple[float, Any]  # its share of all examples of a step, and the collated examples


def batches(
    task: Trainable, options: LoopOptions, processes: Processes, start: int
) -> Iterator[tuple[int, list[Part]]]:
    """Yield each step from `start` on, and the parts of its batch that are this process's.

    Examples are taken in turns by the processes. All come once an epoch, in an order that is drawn
    for the epoch; a batch may be of the end of one and the beginning of the next.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting: Future | None = None
        for step in range(start, options.steps):
            parts = waiting.result() if waiting else _parts(task, options, processes, step)
            more = step + 1 < options.steps
            waiting = pool.submit(_parts, task, options, processes, step + 1) if more else None
            yield step, parts


def _parts(task: Trainable, options: LoopOptions, processes: Processes, step: int) -> list[Part]:
    first = step * options.batch
    mine = range(first + processes.index, first + options.batch, processes.count)
    parts = []
    for places in np.array_split(mine, options.accumulation):
        batch = task.collate([_load(task, options.seed, int(p)) for p in places])
        parts.append((len(places) / options.batch, to_device(batch, processes.device)))
    return parts


def _load(task: Trainable, seed: int, place: int) -> Any:
    """Load the example at a place of the row in which all epochs follow one another."""
    epoch, position = divmod(place, task.size)
    random = np.random.default_rng([seed, epoch, position])
    if getattr(task, "ordered", False):
        return task.load(place, random)
    order = np.random.default_rng([seed, epoch]).permutation(task.size)
    return task.load(int(order[position]), random)


def to_device(batch: Any, device: torch.device) -> Any:
    """Move tensors, and those in dicts and lists, to a device; leave all else."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, list):
        return [to_device(value, device) for value in batch]
    if isinstance(batch, dict):
        return {name: to_device(value, device) for name, value in batch.items()}
    return batch
