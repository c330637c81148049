"""What can be set of a training."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from math import inf
from typing import Any

from tasks.training.goals import check_known, read_goal
from tasks.training.schedules import SCHEDULES

PRECISIONS = ("float32", "bfloat16", "float16")
TOLD = 3  # how many entries in which experiments differ are told
MOST_SEED = 2**32 - 1  # steps are drawn by multiples of it, which have to be numbers of torch
GOALS = ("watch", "best")  # options that name what is measured
LEAST = {  # what numbers of options are at least
    1: ("steps", "batch", "checkpoint_every", "accumulation"),
    0: (
        *("measure_every", "patience", "stop_after", "min_delta", "least_steps", "least_epochs"),
        *("epochs", "clip_norm", "clip_value", "warmup", "seed"),
        *("learning_rate", "weight_decay", "eps"),
    ),
}


@dataclass(frozen=True)
class LoopOptions:
    """How long, how fast and in which numbers.

    Attributes:
        epochs: How often all examples are seen; above 0 `steps` follows from it, 0 goes by `steps`.
            `tasks.config` refuses a file with both; `steps` typed win over epochs of a file.
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
            0 shortens none.
        clip_value: Largest magnitude of each number of the gradient; a larger one is held there,
            which changes the gradient's direction as well. It goes before `clip_norm`. 0 holds
            none.
        seed: Fixes the order of examples and all that is drawn in training; below 2 to the 32nd.
        checkpoint_every: Steps between two checkpoints, 1 or more; looks at the validation data
            write one too.
        measure_every: Steps between two looks at the validation data; the last step is one. 0 for
            as many steps as see all examples once, an epoch.
        schedule: How the learning rate goes on after the warm-up: "cosine" and "linear" fall to 0,
            "constant" stays, "plateau" falls where what `watch` names gets no better.
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
        watch: What schedule "plateau" looks at: a name of what is measured, or of a loss, where
            higher is better, and with "-" before it where lower is, as "-validation_loss".
        factor: What "plateau" multiplies the learning rate by, above 0 and below 1.
        patience: So many measurements in a row may be no better; at the next one "plateau" lowers
            the learning rate, and counts anew.
        threshold: What "plateau" takes for better: more than this share of the best so far, 0 to
            below 1.
        best: Which measurement is the best, in the form of `watch`, as "accuracy": its weights are
            kept and exported. "" exports those of the last step.
        stop_after: The training ends after so many measurements in a row without a better one, by
            what `best` names; 0 for never.
        min_delta: By how much one has to be better, for `stop_after` alone; 0 or more.
        least_steps: It does not end before so many.
        least_epochs: Above 0, `least_steps` follows from it.
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
    clip_value: float = 0.0
    seed: int = 0
    checkpoint_every: int = 100
    measure_every: int = 500
    schedule: str = "cosine"
    accumulation: int = 1
    precision: str = "float32"
    average: float = 0.0
    watch: str = ""
    factor: float = 0.3
    patience: int = 5
    threshold: float = 1e-4
    best: str = ""
    stop_after: int = 0
    min_delta: float = 0.0
    least_steps: int = 0
    least_epochs: int = 0

    def __post_init__(self):
        for least, names in LEAST.items():
            for name in names:
                if not least <= getattr(self, name) < inf:
                    raise ValueError(
                        f"Option {name!r} is {getattr(self, name)}; expected {least} or more."
                    )
        if self.seed > MOST_SEED:
            raise ValueError(f"Option 'seed' is {self.seed}; expected 0 to {MOST_SEED:,}.")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"Option 'betas' is {self.betas}; expected each 0 to below 1.")
        for name, known in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise ValueError(f"No {name} {getattr(self, name)!r}; known: {', '.join(known)}.")
        if not 0 <= self.average < 1:
            raise ValueError(f"Option 'average' is {self.average}; expected 0 to below 1.")
        if not 0 <= self.threshold < 1:
            raise ValueError(f"Option 'threshold' is {self.threshold}; expected 0 to below 1.")
        if not 0 < self.factor < 1:
            raise ValueError(f"Option 'factor' is {self.factor}; expected above 0 and below 1.")
        self._check_goals()
        self.check_batch(1)

    def _check_goals(self) -> None:
        """Raise where something is to be looked at that nothing names, or the other way round."""
        if (self.schedule == "plateau") != bool(self.watch):
            raise ValueError(
                f"Option 'schedule' is {self.schedule!r} and 'watch' {self.watch!r}; expected both "
                "'plateau' and what it looks at, as watch '-validation_loss', or neither."
            )
        if self.stop_after and not self.best:
            raise ValueError(
                f"Option 'stop_after' is {self.stop_after} and 'best' is ''; name what is to get "
                "better, as best 'accuracy' or '-validation_loss'."
            )
        for name in GOALS:
            try:
                read_goal(getattr(self, name))
            except ValueError as error:
                raise ValueError(f"Option {name!r}: {error}") from None

    def check_goals(self, measures: Iterable[str]) -> None:
        """Raise where something is to be looked at that a training does not measure.

        Args:
            measures: What it can end with, by name. Those that begin with "test_" are measured
                when it has ended, and choose nothing.

        Raises:
            ValueError: `watch` or `best` names something else.
        """
        known = [name for name in measures if not name.startswith("test_")]
        for name in GOALS:
            check_known(name, getattr(self, name), known)

    def in_steps(self, size: int) -> "LoopOptions":
        """Return the options with steps for all that is told in epochs.

        Args:
            size: How many training examples there are.
        """
        epoch = -(-size // self.batch)
        return replace(
            self,
            steps=self.epochs * epoch or self.steps,
            measure_every=self.measure_every or epoch,
            least_steps=self.least_epochs * epoch or self.least_steps,
        )

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
LATER = (
    *("schedule", "accumulation", "precision", "average"),
    *("watch", "factor", "patience", "threshold"),
    *("best", "stop_after", "min_delta", "least_steps", "least_epochs", "clip_value"),
)
# Entries of experiments that say where something is kept, and change nothing of what is learnt.
PLACES = ("features",)
# Entries of experiments that came later, and are not told where they are None, as before.
LATER_ENTRIES = ("measure",)
SAVING = "checkpoint_every"  # of the loop: how often it is written down changes nothing either


def describe(options: LoopOptions, settings: Any) -> str:
    """Say what an experiment is, so that two are the same where the texts are.

    Args:
        options: How long and how fast; what came later is told only where it is not as before.
        settings: All else, as JSON takes it; options of the loop in it are under "loop". What names
            a place alone (`PLACES`) is not told.
    """
    if isinstance(settings, dict):
        unset = {name for name in LATER_ENTRIES if settings.get(name) is None}
        settings = {k: v for k, v in settings.items() if k not in unset and k not in PLACES}
        if isinstance(settings.get("loop"), dict):
            settings["loop"] = _told(settings["loop"])
    return json.dumps([_told(asdict(options)), settings], sort_keys=True, default=str)


def is_same(before: str, now: str) -> bool:
    """Say whether what `describe` said twice is one experiment, however often it is saved."""
    if before == now:
        return True
    (options, settings), (new_options, new_settings) = json.loads(before), json.loads(now)
    for one in (options, new_options, settings, new_settings):
        loop = one.get("loop") if isinstance(one, dict) else None
        for told in (one, loop):
            if isinstance(told, dict):
                told.pop(SAVING, None)
    return (options, settings) == (new_options, new_settings)


def tell_difference(before: str, now: str) -> str:
    """Say in brackets, after a space, where two experiments differ; "" where no entry tells.

    Args:
        before: What `describe` said of the first.
        now: The description of the experiment that is asked for.
    """
    (options, settings), (new_options, new_settings) = json.loads(before), json.loads(now)
    found = _differences(settings, new_settings) or _differences(options, new_options, "loop.")
    more = [f"and {len(found) - TOLD} more"] if len(found) > TOLD else []
    return f" ({', '.join(found[:TOLD] + more)})" if found else ""


def _differences(before: Any, now: Any, within: str = "") -> list[str]:
    if not (isinstance(before, dict) and isinstance(now, dict)):
        named = within and before != now
        return [f"{within[:-1]} was {before!r} and is {now!r}"] if named else []
    # Others came with another version.
    names = [name for name in now if name in before and name != SAVING]
    return [one for k in names for one in _differences(before[k], now[k], f"{within}{k}.")]


def _told(options: dict[str, Any]) -> dict[str, Any]:
    before = {field.name: field.default for field in fields(LoopOptions) if field.name in LATER}
    return {
        name: value
        for name, value in options.items()
        if name not in before or value != before[name]
    }
