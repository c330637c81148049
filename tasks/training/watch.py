"""What measurements decide: which of them is best, when the learning rate falls, when to stop."""

import math
from collections.abc import Mapping
from typing import Any

from tasks.training.goals import check_known, read_goal
from tasks.training.options import LoopOptions


class Plateau:
    """The share of the learning rate that is left: it falls where a measure gets no better.

    Args:
        factor: What the share is multiplied by then, above 0 and below 1.
        patience: So many measurements in a row may be no better; at the next one it falls.
        threshold: What counts as better: more than this share of the best so far, 0 to below 1.

    Attributes:
        share: From 1 down.

    Source:
        torch.optim.lr_scheduler.ReduceLROnPlateau with threshold_mode "rel", and without its end
        where a change gets too small. Of values below 0 torch takes an equal one for better.
    """

    def __init__(self, factor: float, patience: int, threshold: float):
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.share = 1.0
        self.best = -math.inf
        self.waited = 0

    def follow(self, value: float) -> None:
        """Take one more measurement in, higher being better; what is no number is no better."""
        border = self.best * (1 + self.threshold if self.best >= 0 else 1 - self.threshold)
        better = value > border
        self.best = value if better else self.best
        self.waited = 0 if better else self.waited + 1
        if self.waited > self.patience:
            self.share *= self.factor
            self.waited = 0


class Patience:
    """Counts measurements since the last that was better by more than some difference.

    Args:
        least: The difference to the last that counted, 0 or more; small gains add up to it.

    Attributes:
        waited: How many, 0 after one that counts.

    Source:
        pytorch_lightning.callbacks.EarlyStopping.
    """

    def __init__(self, least: float):
        self.least = least
        self.best = -math.inf
        self.waited = 0

    def follow(self, value: float) -> None:
        """Take one more measurement in, higher being better; what is no number is no better."""
        better = value > self.best + self.least
        self.best = value if better else self.best
        self.waited = 0 if better else self.waited + 1


class Watch:
    """All that measurements decide. It follows from them alone.

    So a training that goes on need not keep it: it follows the measurements so far once more.

    Args:
        options: Say what is looked at, and how.

    Attributes:
        best: The best measurement so far; None without one, or where nothing says what is best.
    """

    def __init__(self, options: LoopOptions):
        self.options = options
        self.plateau = Plateau(options.factor, options.patience, options.threshold)
        self.patience = Patience(options.min_delta)
        self.best: Mapping[str, Any] | None = None
        self.done = 0

    @property
    def share(self) -> float:
        """What is left of the learning rate, above 0 to 1."""
        return self.plateau.share

    @property
    def stop(self) -> bool:
        """Whether the training is to end."""
        options = self.options
        waited = 0 < options.stop_after <= self.patience.waited
        return waited and self.done >= options.least_steps

    def follow(self, row: Mapping[str, Any]) -> bool:
        """Take one more measurement in.

        Args:
            row: The "step" that it was taken after, and numbers by name.

        Returns:
            Whether it is the best so far.

        Raises:
            ValueError: What is looked at is not measured.
        """
        options = self.options
        known = [name for name in row if name not in ("step", "measured")]
        check_known("watch", options.watch, known)
        check_known("best", options.best, known)
        self.done = row["step"]
        if options.watch:
            self.plateau.follow(read_goal(options.watch).value(row))
        if not options.best:
            return False
        goal = read_goal(options.best)
        self.patience.follow(goal.value(row))
        before = goal.value(self.best) if self.best else -math.inf
        if goal.value(row) > before:
            self.best = row
            return True
        return False
