"""What can be set of a training."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from tasks.training.schedules import SCHEDULES

PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class LoopOptions:
    """How long, how fast and in which numbers.

    Attributes:
        epochs: How often all examples are seen; above 0 `steps` follows from it, 0 goes by `steps`.
        steps: How many steps the optimiser takes, 1 or more, where `epochs` is 0.
        batch: Examples a step, over all processes and parts, 1 or more for each part in each.
        learning_rate: Step size of AdamW at its height: it rises over `warmup` steps, then goes on
            as `schedule` says.
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
        schedule: How the learning rate goes on after the warm-up: "cosine" and "linear" fall to 0,
            "constant" stays.
        accumulation: In how many parts, 1 or more, the batch of a step is worked through for less
            memory, in each process. The examples are split as evenly as can be. The loss of a part
            counts by its share of all examples of the step, so that the gradient is that of the
            whole batch where the loss is a mean over examples. Where it is not (a contrast between
            examples, a mean over the frames of clips of unequal length, batch norm), each part
            stands for itself.
        precision: Of the forward pass: "float32", or "bfloat16" or "float16" by autocast where the
            device has them. Weights, gradients, the optimiser and what is measured stay in float32.
        average: Decay of an exponential moving average of the trained weights, 0 to below 1, such
            as 0.999: what a step leaves of the average. Measured and exported are the averaged
            weights; with 0, the weights themselves.
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
    schedule: str = "cosine"
    accumulation: int = 1
    precision: str = "float32"
    average: float = 0.0

    def __post_init__(self):
        for name in ("steps", "batch", "checkpoint_every", "measure_every", "accumulation"):
            if getattr(self, name) < 1:
                raise ValueError(f"Option {name!r} is {getattr(self, name)}; expected 1 or more.")
        for name, known in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise ValueError(f"No {name} {getattr(self, name)!r}; known: {', '.join(known)}.")
        if not 0 <= self.average < 1:
            raise ValueError(f"Option 'average' is {self.average}; expected 0 to below 1.")
        self.check_batch(1)

    def check_batch(self, processes: int) -> None:
        """Raise where a part of a batch would have no examples in one of so many processes.

        Raises:
            ValueError: The batch is too small.
        """
        least = processes * self.accumulation
        if self.batch < least:
            raise ValueError(
                f"Option 'batch' is {self.batch}; expected {least} or more, an example for each of "
                f"{processes} processes times accumulation {self.accumulation}."
            )


# Options that came when there were checkpoints already. Where they are as they were before, they
# are not told, so that those trainings can be gone on with.
LATER = ("schedule", "accumulation", "precision", "average")


def describe(options: LoopOptions, settings: Any) -> str:
    """Say what an experiment is, so that two are the same where the texts are.

    Args:
        options: How long and how fast; what came later is told only where it is not as before.
        settings: All else, as JSON takes it; options of the loop in it are under "loop".
    """
    if isinstance(settings, dict) and isinstance(settings.get("loop"), dict):
        settings = {**settings, "loop": _told(settings["loop"])}
    return json.dumps([_told(asdict(options)), settings], sort_keys=True, default=str)


def _told(options: dict[str, Any]) -> dict[str, Any]:
    before = {field.name: field.default for field in fields(LoopOptions) if field.name in LATER}
    return {
        name: value
        for name, value in options.items()
        if name not in before or value != before[name]
    }
