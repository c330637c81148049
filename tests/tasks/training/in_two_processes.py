"""Trains in each process that torch's launcher starts, or in one, and writes what became of it.

Not a test of its own: test_processes.py starts it.
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from tasks.training.loop import train
from tasks.training.options import LoopOptions

# 7 examples: 4 for one process and 3 for the other, in parts of 2, 2, 2 and 1.
OPTIONS = LoopOptions(
    steps=12,
    batch=7,
    learning_rate=0.05,
    warmup=2,
    checkpoint_every=3,
    measure_every=6,
    accumulation=2,
    average=0.5,
)
# Its score rises and falls again, at which the learning rate falls and the training stops.
CHOSEN = replace(
    OPTIONS,
    measure_every=1,
    schedule="plateau",
    watch="score",
    patience=0,
    best="score",
    stop_after=2,
)


class Branches:
    """Learns y = 3 x by two branches, one for an example of the first ten alone, one for none."""

    def __init__(self, stop_at: int = 0):
        torch.manual_seed(0)
        self.module = _Learner()
        self.size = 30
        self.stop_at = stop_at
        self.batches = 0
        self.loaded: list[int] = []
        self.exports = 0
        self.start = float(self.module.all.weight.detach().mean())

    def load(self, index, random):
        self.loaded.append(index)
        return index + random.normal() / 10

    def collate(self, examples):
        self.batches += 1
        if self.stop_at and self.batches > self.stop_at:
            raise KeyboardInterrupt
        return {"x": torch.tensor([[x] for x in examples], dtype=torch.float32) / 10}

    def measure(self):
        weight = float(self.module.all.weight.detach().mean())
        return {"weight": weight, "score": -abs(weight - self.start - 0.15)}

    def export(self, folder, measured):
        self.exports += 1


class _Learner(nn.Module):
    def __init__(self):
        super().__init__()
        self.all, self.some, self.none = nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1)
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, batch):
        x = batch["x"]
        self.mean += x.mean()
        low = x < 1
        found = self.all(x)
        if low.any():
            found = found + low * self.some(x)
        losses = (found - 3 * x).square().mean(1)
        return {"loss": losses.mean(), "size": losses.detach().mean()}


def state(task: Branches) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in task.module.state_dict().items()}


def learn(folder: Path, options: LoopOptions, stop_at: int) -> tuple[Branches, dict]:
    """Train, and do it once more with a break; return the first task, and what became of both."""
    whole, resumed = Branches(), Branches()
    found = train(whole, options, folder)
    killed = folder.with_name(f"{folder.name}_killed")
    try:
        train(Branches(stop_at), options, killed)
    except KeyboardInterrupt:
        pass
    told = {
        "found": found,
        "again": train(resumed, options, killed),
        "state": state(whole),
        "resumed": state(resumed),
        "score": whole.measure()["score"],
    }
    return whole, told


def main(folder: Path) -> None:
    whole, told = learn(folder / "whole", OPTIONS, 2 * 8)
    _, chosen = learn(folder / "chosen", CHOSEN, 2 * 5)
    several = torch.distributed.is_initialized()
    content = {
        "count": torch.distributed.get_world_size() if several else 1,
        **told,
        "chosen": chosen,
        "start": state(Branches()),
        "loaded": whole.loaded,
        "exports": whole.exports,
    }
    torch.save(content, folder / f"{torch.distributed.get_rank() if several else 'one'}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
