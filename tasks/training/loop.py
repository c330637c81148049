"""One training loop for all tasks: several processes, resumable to the same result."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from modalities.outputs import check_outputs
from modalities.whole_file import replace_when_whole
from tasks.config import named_paths
from tasks.training.average import MovingAverage
from tasks.training.batches import Part, batches, to_device
from tasks.training.contract import Trainable
from tasks.training.curves import draw_curves
from tasks.training.folder_lock import alone_in
from tasks.training.launched import count_processes, is_first
from tasks.training.options import LoopOptions, describe, is_same, tell_difference
from tasks.training.plain_numbers import plain_numbers
from tasks.training.precision import autocast, build_scaler, check_precision
from tasks.training.processes import Processes
from tasks.training.schedules import height
from tasks.training.watch import Watch

CHECKPOINT, METRICS, CURVES = "checkpoint.pt", "metrics.jsonl", "curves.png"
OTHER_DRAWS = 500_000_003  # between the seeds of two processes
Progress = Callable[[float, float | None], None]


def train(
    task: Trainable,
    options: LoopOptions,
    folder: str | Path,
    progress: Progress | None = None,
    device: str = "auto",
    settings: Any = None,
) -> dict[str, float]:
    """Train, or go on with a training that was interrupted.

    Every step draws from its own seed, so a run that was killed ends where one that was not does.
    Several processes, as `python -m torch.distributed.run --nproc_per_node 2` starts them, learn
    what one does up to rounding, as far as the loss is a mean over examples (as of `accumulation`
    in LoopOptions) and nothing is drawn while learning: dropout differs between them. The first
    process measures, writes, and calls `progress`; the folder is one that all see.

    Args:
        task: What to train. Afterwards its module holds the weights that were exported.
        options: How long and how fast, and how often to look and to keep.
        folder: For the checkpoint, metrics.jsonl, curves.png and what the task exports.
        progress: Called with the steps done, and all.
        device: "auto" for a GPU where there is one, "cpu", "cuda" or "mps".
        settings: The whole experiment, as JSON takes it; a training is gone on with only where it
            is the same.

    Returns:
        The measurement on the validation data of what was exported, the same in all processes: the
        last, or that which the options call the best. Where none has been a number, it is the last.

    Raises:
        ValueError: The folder holds another experiment, the batch is too small for the processes,
            the device is not here or does not compute in the precision, the loss is not finite,
            what is measured is no number, what the options look at is not measured, another
            training is at work in the folder, or a file that the experiment names is one that is
            written.
        OSError: The folder cannot be written.
    """
    options.check_batch(count_processes())
    processes = Processes(device)
    check_precision(options.precision, processes.device)
    options = options.in_steps(task.size)
    described = describe(options, settings)
    written = [Path(folder) / name for name in (CHECKPOINT, METRICS, CURVES)]
    check_outputs(written, named_paths(settings))
    with alone_in(Path(folder)):
        return _Run(task, options, Path(folder), processes, described).go(progress)


class _Run:
    def __init__(
        self,
        task: Trainable,
        options: LoopOptions,
        folder: Path,
        processes: Processes,
        described: str,
    ):
        self.task, self.options, self.folder = task, options, folder
        self.described = described
        self.processes = processes
        self.module = task.module.to(processes.device)
        self.trained = [p for p in self.module.parameters() if p.requires_grad]
        if not self.trained:
            raise ValueError(
                f"Nothing of {self._name} learns; expected a method that trains something. What is "
                "not trained can be a row of a study, and `mcgurk evaluate` measures it."
            )
        self.optimiser = torch.optim.AdamW(
            self.trained,
            options.learning_rate,
            options.betas,
            options.eps,
            options.weight_decay,
        )
        self.scaler = build_scaler(options.precision, processes.device)
        self._follow_first()
        self.average = MovingAverage(self.module, options.average)
        self.watch = Watch(options)
        self.best: dict[str, Tensor] = {}  # weights of the best measurement, in the first process
        self.metrics: list[dict[str, float]] = []
        self.began = perf_counter()  # as if interrupted runs had ended just before this one
        folder.mkdir(parents=True, exist_ok=True)

    def go(self, progress: Progress | None) -> dict[str, float]:
        start = self._restore()
        self.module.train()
        if not self.watch.stop:
            self._learn_from(start, progress)
        self._export()
        return self._result()

    def _learn_from(self, start: int, progress: Progress | None) -> None:
        """Take all steps from one on, or those until measurements say that it is enough."""
        options = self.options
        sums: dict[str, float] = {}
        for step, parts in batches(self.task, options, self.processes, start):
            for name, value in self._step(step, parts).items():
                sums[name] = sums.get(name, 0.0) + value
            done = step + 1
            last = done == options.steps
            measured = last or done % options.measure_every == 0
            if measured or done % options.checkpoint_every == 0:
                better = self._note(done, self._means(sums, done - start), measured)
                start, sums = done, {}
                self._keep(done, better)
            if progress and is_first():
                progress(done, done if self.watch.stop else options.steps)
            if self.watch.stop:
                return

    def _export(self) -> None:
        if self.watch.best:
            self.module.load_state_dict(self.best, strict=False)
            self._follow_first()
        else:
            self.average.settle()
        if is_first():
            self.module.eval()
            seconds = round(self._seconds(), 1)
            self.task.export(self.folder, {**self._result(), "seconds": seconds})
            draw_curves(self.metrics, self.folder / CURVES, self._best_step())
        self.processes.wait()

    def _seconds(self) -> float:
        return perf_counter() - self.began

    def _measurements(self) -> list[dict[str, float]]:
        return [row for row in self.metrics if row.get("measured")]

    def _result(self) -> dict[str, float]:
        """Return the measurement of what is exported."""
        row = self.watch.best or (self._measurements() or [{}])[-1]
        return {name: value for name, value in row.items() if name != "measured"}

    def _best_step(self) -> int | None:
        return self.watch.best["step"] if self.watch.best else None

    def _step(self, step: int, parts: Sequence[Part]) -> dict[str, float]:
        """Learn from a batch; return this process's share of its mean losses."""
        torch.manual_seed(self.options.seed * 1_000_003 + step + self.processes.index * OTHER_DRAWS)
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.learning_rate * self._height(step)
        logged: dict[str, float] = {}
        for share, batch in parts:
            for name, value in self._learn(step, share, batch).items():
                logged[name] = logged.get(name, 0.0) + share * value
        self.processes.add_gradients(self.trained)
        self.scaler.unscale_(self.optimiser)
        self._clip()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad()
        self.average.follow()
        return logged

    def _clip(self) -> None:
        if self.options.clip_value:
            nn.utils.clip_grad_value_(self.trained, self.options.clip_value)
        if self.options.clip_norm:
            nn.utils.clip_grad_norm_(self.trained, self.options.clip_norm)

    def _height(self, step: int) -> float:
        whole = height(self.options.schedule, step, self.options.steps, self.options.warmup)
        return whole * self.watch.share

    def _learn(self, step: int, share: float, batch: Any) -> dict[str, float]:
        """Add the gradient of a part of a batch to those before it; return its losses."""
        with autocast(self.options.precision, self.processes.device):
            losses: dict[str, Tensor] = self.module(batch)
        if not torch.isfinite(losses["loss"]):
            raise ValueError(
                f"The loss is {float(losses['loss'].detach())} at step {step}; lower "
                "loop.learning_rate."
            )
        self.scaler.scale(losses["loss"] * share).backward()
        return plain_numbers(f"The module of {self._name}", losses)

    @property
    def _name(self) -> str:
        return type(self.task).__name__

    def _means(self, sums: dict[str, float], steps: int) -> dict[str, float]:
        """Return the mean losses of whole batches over some steps, from each process's shares."""
        whole: dict[str, float] = {}
        for shares in self.processes.gather(sums):
            for name, value in shares.items():
                whole[name] = whole.get(name, 0.0) + value
        return {name: value / steps for name, value in whole.items()}

    def _note(self, done: int, means: dict[str, float], measured: bool) -> bool:
        """Write down how it goes, and measure where asked; return whether that is the best yet."""
        row: dict[str, Any] = {"step": done, **means}
        if measured:
            found = self._measure() if is_first() else {}
            row |= {"measured": True, **self.processes.of_first(found)}
        self.metrics.append(row)
        return measured and self.watch.follow(row)

    def _measure(self) -> dict[str, float]:
        self.module.eval()
        with torch.no_grad(), self.average.in_place():
            found = plain_numbers(f"{self._name}.measure()", self.task.measure())
        self.module.train()
        return found

    def _changing(self) -> dict[str, Tensor]:
        """Return the weights that are trained, and all buffers."""
        names = {name for name, p in self.module.named_parameters() if p.requires_grad}
        names |= {name for name, _ in self.module.named_buffers()}
        return {name: v for name, v in self.module.state_dict().items() if name in names}

    def _follow_first(self) -> None:
        """Take what the first process has, as all do that go on from a checkpoint.

        Weights differ at the beginning if at all; buffers, such as those of a batch norm, always.
        """
        if self.processes.count > 1:
            mine = to_device(self._changing(), torch.device("cpu"))
            self.module.load_state_dict(self.processes.of_first(mine), strict=False)

    def _keep(self, done: int, better: bool) -> None:
        """Write a checkpoint; with the weights of the best measurement, which may be this one."""
        self._follow_first()
        if not is_first():
            return
        if better:
            with self.average.in_place():
                self.best = {k: v.to("cpu", copy=True) for k, v in self._changing().items()}
        content = {
            "step": done,
            "experiment": self.described,
            "module": self._changing(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.weights,
            "best": self.best,
            "metrics": self.metrics,
            "seconds": self._seconds(),
        }
        with replace_when_whole(self.folder / CHECKPOINT) as partial, partial.open("wb") as file:
            torch.save(content, file)  # of a path, torch makes a full disk a RuntimeError
        with replace_when_whole(self.folder / METRICS) as partial:
            partial.write_text("".join(f"{json.dumps(row)}\n" for row in self.metrics))

    def _restore(self) -> int:
        """Go on from the checkpoint, if there is one; return the steps it has done."""
        path = self.folder / CHECKPOINT
        content = _read_checkpoint(path) if path.exists() else None
        steps = content["step"] if content else 0
        if len(set(self.processes.gather(steps))) > 1:
            raise ValueError(f"Some processes do not see {path}; take a folder that all see.")
        if content is None:
            return 0
        if not is_same(content["experiment"], self.described):
            raise ValueError(
                f"{self.folder} holds another experiment"
                f"{tell_difference(content['experiment'], self.described)}; take another folder, "
                "or remove it."
            )
        self.module.load_state_dict(content["module"], strict=False)
        self.optimiser.load_state_dict(content["optimiser"])
        self.scaler.load_state_dict(content.get("scaler", {}))
        self.average.load(content.get("average", {}))
        self.best = content.get("best", {})
        self.metrics = content["metrics"]
        for row in self._measurements():
            self.watch.follow(row)
        self.began -= content.get("seconds", 0.0)
        return steps


def _read_checkpoint(path: Path) -> dict[str, Any]:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}); remove it to train from the start."
        ) from error
