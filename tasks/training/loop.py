"""One training loop for all tasks: several processes, resumable to the same result."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from modalities.whole_file import replace_when_whole

CHECKPOINT, METRICS, CURVES = "checkpoint.pt", "metrics.jsonl", "curves.png"
Progress = Callable[[float, float | None], None]


@dataclass(frozen=True)
class LoopOptions:
    """How long and how fast.

    Attributes:
        epochs: How often all examples are seen; above 0 `steps` follows from it, 0 goes by `steps`.
        steps: How many steps the optimiser takes, 1 or more, where `epochs` is 0.
        batch: Examples a step, over all processes, 1 or more.
        learning_rate: Step size of AdamW at its height: it rises over `warmup` steps, then falls to
            0 as half a cosine.
        warmup: Steps until the learning rate is at its height; 0 starts there.
        weight_decay: How strongly AdamW draws weights to 0: each step takes off the learning rate
            times this share of them; 0 takes nothing.
        betas: How much of AdamW's running means of gradient and squared gradient a step keeps, each
            from 0 to below 1.
        eps: What AdamW adds to the root of the squared gradient, so that nothing is divided by 0.
        clip_norm: Largest norm of the gradient over all that is trained; a longer one is shortened.
        seed: Fixes the order of examples and all that is drawn in training.
        checkpoint_every: Steps between two checkpoints, 1 or more; looks at the validation data
            write one too.
        measure_every: Steps between two looks at the validation data; the last step is one.
    """

    epochs: int = 0
    steps: int = 1000
    batch: int = 16
    learning_rate: float = 1e-3
    warmup: int = 50
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    clip_norm: float = 1.0
    seed: int = 0
    checkpoint_every: int = 100
    measure_every: int = 500

    def __post_init__(self):
        for name in ("steps", "batch", "checkpoint_every", "measure_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"Option {name!r} is {getattr(self, name)}; expected 1 or more.")


class Trainable(Protocol):
    """What the loop knows of a task.

    Attributes:
        module: Takes a batch and returns scalars by name, "loss" among them; what of it requires a
            gradient is trained.
        size: How many training examples there are.
    """

    module: nn.Module
    size: int

    def load(self, index: int, random: np.random.Generator) -> Any:
        """Return a training example, changed at random as training wants it."""
        ...

    def collate(self, examples: list[Any]) -> Any:
        """Make a batch of examples."""
        ...

    def measure(self) -> dict[str, float]:
        """Look at the validation data; the module is in evaluation mode."""
        ...

    def export(self, folder: Path, measured: dict[str, float]) -> None:
        """Write what was trained; it may tell the last measurement, with the "seconds" it took."""
        ...


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

    Args:
        task: What to train.
        options: How long and how fast, and how often to look and to keep.
        folder: For the checkpoint, metrics.jsonl, curves.png and what the task exports.
        progress: Called with the steps done, and all.
        device: "cpu", or "auto" for a GPU where there is one. Several processes are started by
            `accelerate launch`.
        settings: The whole experiment, as JSON takes it; a training is gone on with only where it
            is the same.

    Returns:
        The last measurement on the validation data.

    Raises:
        ValueError: The folder holds another experiment, or the loss is not finite.
        OSError: The folder cannot be written.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs

    accelerator = Accelerator(
        cpu=device == "cpu",
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    if options.epochs:
        steps = options.epochs * -(-task.size // options.batch)
        options = replace(options, steps=steps)
    described = json.dumps([asdict(options), settings], sort_keys=True, default=str)
    return _Run(task, options, Path(folder), accelerator, described).go(progress)


class _Run:
    def __init__(
        self,
        task: Trainable,
        options: LoopOptions,
        folder: Path,
        accelerator: Any,
        described: str,
    ):
        self.task, self.options, self.folder = task, options, folder
        self.described = described
        self.accelerator = accelerator
        self.bare = task.module.to(accelerator.device)
        trained = [p for p in self.bare.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(
            trained,
            options.learning_rate,
            options.betas,
            options.eps,
            options.weight_decay,
        )
        self.module, self.optimiser = accelerator.prepare(self.bare, optimiser)
        self.trained = trained
        self.metrics: list[dict[str, float]] = []
        self.began = perf_counter()  # as if interrupted runs had ended just before this one
        folder.mkdir(parents=True, exist_ok=True)

    def go(self, progress: Progress | None) -> dict[str, float]:
        start = self._restore()
        options = self.options
        self.module.train()
        sums: dict[str, float] = {}
        for step, batch in self._batches(start):
            for name, value in self._step(step, batch).items():
                sums[name] = sums.get(name, 0.0) + value
            done = step + 1
            last = done == options.steps
            measured = last or done % options.measure_every == 0
            kept = last or measured or done % options.checkpoint_every == 0
            if kept:
                since = done - start
                means = {name: value / since for name, value in sums.items()}
                self._note(done, means, measured)
                start, sums = done, {}
                self._keep(done)
            if progress and self.accelerator.is_main_process:
                progress(done, options.steps)
        if self.accelerator.is_main_process:
            self.bare.eval()
            seconds = round(self._seconds(), 1)
            self.task.export(self.folder, {**self._last_measured(), "seconds": seconds})
            draw_curves(self.metrics, self.folder / CURVES)
        self.accelerator.wait_for_everyone()
        return self._last_measured()

    def _seconds(self) -> float:
        return perf_counter() - self.began

    def _last_measured(self) -> dict[str, float]:
        rows = [row for row in self.metrics if row.get("measured")]
        if not rows:
            return {}
        return {name: value for name, value in rows[-1].items() if name != "measured"}

    def _batches(self, start: int) -> Iterator[tuple[int, Any]]:
        """Prepare the next batch while the present one is learnt."""
        with ThreadPoolExecutor(1) as pool:
            waiting: Future | None = None
            for step in range(start, self.options.steps):
                batch = waiting.result() if waiting else self._batch(step)
                more = step + 1 < self.options.steps
                waiting = pool.submit(self._batch, step + 1) if more else None
                yield step, batch

    def _batch(self, step: int) -> Any:
        size, options = self.options.batch, self.options
        mine = range(
            step * size + self.accelerator.process_index,
            (step + 1) * size,
            self.accelerator.num_processes,
        )
        examples = []
        for place in mine:
            epoch, position = divmod(place, self.task.size)
            order = np.random.default_rng([options.seed, epoch]).permutation(self.task.size)
            random = np.random.default_rng([options.seed, epoch, position])
            examples.append(self.task.load(int(order[position]), random))
        return to_device(self.task.collate(examples), self.accelerator.device)

    def _step(self, step: int, batch: Any) -> dict[str, float]:
        torch.manual_seed(self.options.seed * 1_000_003 + step)
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.learning_rate * _height(step, self.options)
        losses: dict[str, Tensor] = self.module(batch)
        if not torch.isfinite(losses["loss"]):
            raise ValueError(
                f"The loss is {float(losses['loss'].detach())} at step {step}; lower "
                "loop.learning_rate."
            )
        self.accelerator.backward(losses["loss"])
        self.accelerator.clip_grad_norm_(self.trained, self.options.clip_norm)
        self.optimiser.step()
        self.optimiser.zero_grad()
        return {name: float(value.detach()) for name, value in losses.items()}

    def _note(self, done: int, means: dict[str, float], measured: bool) -> None:
        row: dict[str, Any] = {"step": done, **means}
        if measured and self.accelerator.is_main_process:
            self.bare.eval()
            with torch.no_grad():
                row |= {"measured": True, **self.task.measure()}
            self.module.train()
        self.metrics.append(row)

    def _keep(self, done: int) -> None:
        if not self.accelerator.is_main_process:
            return
        names = {name for name, p in self.bare.named_parameters() if p.requires_grad}
        names |= {name for name, _ in self.bare.named_buffers()}
        state = self.bare.state_dict()
        content = {
            "step": done,
            "experiment": self.described,
            "module": {name: value for name, value in state.items() if name in names},
            "optimiser": self.optimiser.state_dict(),
            "metrics": self.metrics,
            "seconds": self._seconds(),
        }
        with replace_when_whole(self.folder / CHECKPOINT) as partial:
            torch.save(content, partial)
        with replace_when_whole(self.folder / METRICS) as partial:
            partial.write_text("".join(f"{json.dumps(row)}\n" for row in self.metrics))

    def _restore(self) -> int:
        path = self.folder / CHECKPOINT
        if not path.exists():
            return 0
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise ValueError(
                f"{path} is damaged ({type(error).__name__}); remove it to train from the start."
            ) from error
        if content["experiment"] != self.described:
            raise ValueError(
                f"{self.folder} holds another experiment; take another folder, or remove it."
            )
        self.bare.load_state_dict(content["module"], strict=False)
        self.optimiser.load_state_dict(content["optimiser"])
        self.metrics = content["metrics"]
        self.began -= content.get("seconds", 0.0)
        return content["step"]


def _height(step: int, options: LoopOptions) -> float:
    """Return the share of the learning rate at a step, 0 to 1."""
    if step < options.warmup:
        return (step + 1) / options.warmup
    rest = max(1, options.steps - options.warmup)
    return 0.5 * (1 + math.cos(math.pi * (step - options.warmup) / rest))


def to_device(batch: Any, device: torch.device) -> Any:
    """Move tensors, and those in dicts, to a device; leave all else."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {name: to_device(value, device) for name, value in batch.items()}
    return batch


def draw_curves(metrics: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw what was measured while training, as a PNG: losses first, then what belongs together.

    Args:
        metrics: Rows with "step" and numbers by name; what follows a comma in a name says which
            plot it belongs to, as in "clean, no face".
        path: The picture to write, whole or not at all.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for row in metrics for name in row):
        if name not in ("step", "measured"):
            groups.setdefault(_plot_of(name, metrics), []).append(name)
    columns = min(2, max(1, len(groups)))
    lines = -(-max(1, len(groups)) // columns)
    figure = Figure(figsize=(6.4 * columns, 3.6 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (title, names) in enumerate(groups.items()):
        axes = figure.add_subplot(lines, columns, number + 1)
        for name in names:
            points = [(row["step"], row[name]) for row in metrics if name in row]
            label = name.partition(", ")[0].replace("_", " ")
            axes.plot(*zip(*points, strict=True), marker=".", label=label)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("step", fontsize=9)
        axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    with replace_when_whole(path) as partial:
        figure.savefig(partial, format="png", dpi=110)


def _plot_of(name: str, metrics: Sequence[dict[str, Any]]) -> str:
    if "loss" in name or any(name in row and "measured" not in row for row in metrics):
        return "loss"
    return name.partition(", ")[2] or "validation"
