"""How the learning rate goes from its height to the end of a training."""

import math
from collections.abc import Callable


def cosine(done: int, rest: int) -> float:
    """Fall slowly, then fast, then slowly to 0, as half a wave."""
    return 0.5 * (1 + math.cos(math.pi * done / rest))


def linear(done: int, rest: int) -> float:
    """Fall by the same amount each step, to 0."""
    return 1 - done / rest


def constant(done: int, rest: int) -> float:
    """Stay at 1."""
    return 1.0


def plateau(done: int, rest: int) -> float:
    """Stay at 1, of which measurements take something off: see `tasks.training.watch.Plateau`."""
    return 1.0


# A share of the learning rate, 0 to 1, from the steps done since the warm-up, 0 to rest - 1, and
# the steps from there to the end. The 0 that two of them fall to would be that of one step more.
SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "cosine": cosine,
    "linear": linear,
    "constant": constant,
    "plateau": plateau,
}


def height(name: str, step: int, steps: int, warmup: int) -> float:
    """Return the share of the learning rate at a step, 0 to 1.

    Args:
        name: A key of SCHEDULES.
        step: Steps done before it, from 0.
        steps: All that there are. Where they are no more than `warmup`, the rate rises to the end.
        warmup: The share rises in equal parts from 1 / warmup at step 0 to 1 at the last of these.
    """
    if step < warmup:
        return (step + 1) / warmup
    return SCHEDULES[name](step - warmup, max(1, steps - warmup))
